"""Messages between the engine, its launcher and its workers: length-prefixed msgpack over a socket.

A frame is 8 bytes, then the message. The 8 bytes are a little-endian number: a mark of
16 bits, then the length in 48; so the first bytes of anything else are found out at once.
Descriptors ride with the first byte of their frame (SCM_RIGHTS).

A Channel is one end. The engine's ends do not block, ever (contract W4): what does not go
out waits in the channel, and what came in half stays there. The far ends block.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from array import array
from collections import deque
from collections.abc import Sequence

import msgpack

from flowcore.run.job import dumps, loads

PROTOCOL = 1  # which messages there are between engine and workers; told in a hello
_HEAD = struct.Struct("<Q")
_MARK = 0xF10C << 48
_LENGTH = (1 << 48) - 1
_LIMIT = 1 << 40  # bytes of one message; more is a damaged length
_READ = 1 << 18  # bytes asked for at once
_GROWTH = 1 << 21  # bytes that are made room for at first, of a message that says it has more
_TURN = 1 << 23  # bytes taken in one turn, so that one talkative worker starves nobody
_ROOM = socket.CMSG_SPACE(16 * array("i").itemsize)  # for the descriptors of one frame


class Channel:
    """One end of a socket that carries messages. One thread at a time.

    Attributes
    ----------
    ended : bool
        The far end is gone; what it had sent has been read.
    lost : bool
        Something could not be sent: the far end is gone, or the descriptor is not ours any more.
    fault : str
        Why what came in is no message; empty if all is well. Nothing is read after it.
    """

    def __init__(self, end: socket.socket, *, blocking: bool) -> None:
        end.setblocking(blocking)
        self._socket = end
        self._blocking = blocking
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._left = b""  # a frame that is not complete
        self._body: bytearray | None = None  # a large message that is coming in
        self._have = 0  # bytes of it
        self._whole = 0  # bytes that it will have
        self._ready: deque[list[object]] = deque()
        self._fds: deque[tuple[int, ...]] = deque()
        self.ended = False
        self.lost = False
        self.fault = ""

    def fileno(self) -> int:
        """Give the descriptor to wait on; -1 once closed."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Tell whether something waits to go out."""
        return bool(self._out)

    def send(self, *messages: object, fds: Sequence[int] = ()) -> None:
        """Send, or keep for later what does not go out now. After the end it goes nowhere."""
        bodies = [dumps(message) for message in messages]
        framed = b"".join([part for body in bodies for part in (_HEAD.pack(_MARK | len(body)), body)])
        self._out.append((memoryview(framed), tuple(fds)))
        self.flush()

    def flush(self) -> bool:
        """Send what waits, as much as goes; tell whether nothing waits any more."""
        while self._out and not self.ended:
            data, fds = self._out[0]
            try:
                sent = socket.send_fds(self._socket, [data], fds) if fds else self._socket.send(data)
            except BlockingIOError:
                return False
            except OSError:  # the far end is gone: reading will find what it still had to say
                self._out.clear()
                self.lost = True
                return True
            if sent < len(data):
                self._out[0] = (data[sent:], ())
            else:
                self._out.popleft()
        return True

    def wait(self) -> list[object] | None:
        """Give the next message, sleeping until there is one; None: there will be none. Blocking ends."""
        while not self._ready:
            if self.ended or self.fault:
                return None
            self._read()
        return self._ready.popleft()

    def receive(self) -> list[list[object]]:
        """Give the messages that are here."""
        budget = _TURN
        while budget > 0 and not self.ended and not self.fault:
            got = self._read()
            if got < _READ and self._body is None:  # less than asked for: the socket is empty
                break
            if not got:
                break
            budget -= got
        return self._taken()

    def drain(self) -> list[list[object]]:
        """Give all messages that a far end which has died had sent."""
        while not self.ended and not self.fault and self._read():
            continue
        return self._taken()

    def take_fds(self) -> tuple[int, ...]:
        """Give the descriptors that came with the oldest frame that had some."""
        return self._fds.popleft() if self._fds else ()

    def close(self) -> None:
        """Close the socket."""
        self.ended = True
        self._out.clear()
        self._socket.close()

    def _taken(self) -> list[list[object]]:
        messages = list(self._ready)
        self._ready.clear()
        return messages

    def _read(self) -> int:
        """Read once. Give the number of bytes; 0 if there were none."""
        try:
            if self._body is not None:
                return self._read_body(self._body)
            data = self._read_some()
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return 0
        self._cut(self._left + data if self._left else data)
        return len(data)

    def _read_some(self) -> bytes:
        """Read bytes, and keep the descriptors that came with them; none survives an exec.

        Not by socket.recv_fds: before Python 3.12 it drops the flag that sees to this.
        """
        data, ancillary, _, _ = self._socket.recvmsg(_READ, _ROOM, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array("i", content[: len(content) - len(content) % 4])
                for descriptor in fds:
                    os.set_inheritable(descriptor, False)
                self._fds.append(tuple(fds))
        return data

    def _read_body(self, body: bytearray) -> int:
        with memoryview(body) as view:
            got = self._socket.recv_into(view[self._have :])
        if not got:
            self.ended = True
            return 0
        self._have += got
        if self._have == self._whole:
            self._body = None
            self._accept(body)
        elif self._have == len(body):
            body.extend(bytes(min(self._whole - len(body), len(body))))
        return got

    def _cut(self, data: bytes) -> None:
        """Take the complete frames off `data`, and keep the rest."""
        at = 0
        with memoryview(data) as view:
            while len(data) - at >= _HEAD.size and not self.fault:
                size = self._length(view[at : at + _HEAD.size])
                start = at + _HEAD.size
                if len(data) - start < size:
                    break
                if not self.fault:
                    self._accept(view[start : start + size])
                at = start + size
        self._left = data[at:]
        self._enlarge()

    def _enlarge(self) -> None:
        """Have a message larger than a read come straight into a place of its size."""
        if self.fault or len(self._left) < _HEAD.size:
            return
        size = self._length(memoryview(self._left)[: _HEAD.size])
        if size <= _READ:
            return
        self._body = bytearray(min(size, _GROWTH))  # a length is a claim: memory is taken as the bytes come in
        self._have = len(self._left) - _HEAD.size
        self._body[: self._have] = self._left[_HEAD.size :]
        self._whole = size
        self._left = b""

    def _length(self, head: memoryview) -> int:
        (number,) = _HEAD.unpack(head)
        size = int(number & _LENGTH)
        if number & ~_LENGTH != _MARK or size > _LIMIT:
            self.fault = "bytes that are no frame"
            return 0
        return size

    def _accept(self, body: bytearray | memoryview) -> None:
        try:
            message: object = loads(memoryview(body))
        except (ValueError, TypeError, msgpack.UnpackException, RecursionError):
            self.fault = "a frame that is no message"
            return
        if not isinstance(message, list) or not message:
            self.fault = "a message of an unknown form"
            return
        self._ready.append(message)


def pair() -> tuple[socket.socket, socket.socket]:
    """Give the two ends of a private connection; neither survives an exec."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs
