"""The server of the page: this machine alone, and only who has the address.

Owns the only socket that flowcore ever listens on (contract S9): bound to 127.0.0.1, every
path begins with a token that nobody can guess, and a request is refused unless its Host
is this very server and its Origin, if it has one, is too; so neither another machine, nor
a page of another site, nor a name that was made to point here gets anything. It only
reads, and answers GET alone. Another user of this machine can connect, and say nothing: so
who does not speak, or listen, is not waited for long, and no more than MOST are served at once.

Paths behind the token::

    /                     the page
    /live.css, /live.js   what it is made of
    /runs                 the runs of the store, as JSON
    /run/ID/board         server-sent events: a board whenever something changed; "over" at the end
    /run/ID/picture       the graph, as SVG
    /run/ID/report        the report, as HTML
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pkgutil import get_data
from typing import Any, Final, cast

from flowcore import clock
from flowcore.errors import FlowcoreError
from flowcore.history import open_run, runs
from flowcore.inspect.report.page import page
from flowcore.store.directory import Store
from flowcore.ui.boards import Boards

HOST: Final = "127.0.0.1"
MOST: Final = 64  # connections at once
PAUSE: Final = 0.4  # seconds between two looks at a run
_QUIET: Final = 15.0  # seconds after which a word is sent, so that a page that is gone is noticed
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PICTURE: Final = "default-src 'none'; style-src 'unsafe-inline'"


class Server(ThreadingHTTPServer):
    """Serves the page of one store.

    Parameters
    ----------
    store : Store
    port : int
        0: any that is free.

    Attributes
    ----------
    address : str
        What to open in a browser; has the token.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, store: Store, *, port: int = 0) -> None:
        super().__init__((HOST, port), Page)
        self.store = store
        self.token = secrets.token_urlsafe(24)
        self.hosts = frozenset({f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"})
        self.address = f"http://{HOST}:{self.server_port}/{self.token}/"
        self._places = threading.Semaphore(MOST)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, if there is one left."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer until the connection is closed."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a page that was closed while it was answered."""


class Page(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server_version = "flowcore"
    sys_version = ""
    timeout = 30.0  # seconds that a request may take to come, and a piece of an answer to be taken

    @cached_property
    def _ours(self) -> Server:
        return cast(Server, self.server)

    def do_GET(self) -> None:
        """Answer, or refuse."""
        rest = self._admitted()
        if rest is None:
            self._send(b"refused\n", "text/plain", status=HTTPStatus.FORBIDDEN)
            return
        try:
            answer = self._answer(rest)
        except FlowcoreError as trouble:
            self._send(str(trouble).encode(), "text/plain; charset=utf-8", status=HTTPStatus.NOT_FOUND)
            return
        if answer is None:
            self._send(b"there is nothing here\n", "text/plain", status=HTTPStatus.NOT_FOUND)
        else:
            answer()

    def log_message(self, *_: Any) -> None:
        """Print nothing: an address has the token."""

    def _admitted(self) -> list[str] | None:
        """Give the parts of the path behind the token; None for a request that must not be answered."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        parts = self.path.partition("?")[0].split("/")[1:]
        if host not in self._ours.hosts or origin not in (None, f"http://{host}"):
            return None
        if not parts or not secrets.compare_digest(parts[0].encode(), self._ours.token.encode()):
            return None
        return parts[1:]

    def _answer(self, rest: list[str]) -> Callable[[], None] | None:
        store = self._ours.store
        match rest:
            case [""] | ["live.css"] | ["live.js"]:
                return lambda: self._asset(rest[0] or "live.html")
            case ["runs"]:
                return lambda: self._send(_packed([asdict(run) for run in runs(store)]), "application/json")
            case ["run", run_id, "board"]:
                boards = Boards(store, open_run(run_id, store).id)
                return lambda: self._stream(boards)
            case ["run", run_id, "picture"]:
                drawn = open_run(run_id, store).draw()
                return lambda: self._send(str(drawn).encode(), "image/svg+xml", policy=_PICTURE)
            case ["run", run_id, "report"]:
                boards = Boards(store, open_run(run_id, store).id)
                run = boards.run
                told = page(boards.recorded, seconds=run.seconds, graph=run.graph, failures=run.failures)
                return lambda: self._send(told.encode("utf-8", "replace"), "text/html; charset=utf-8", policy="")
        return None

    def _asset(self, name: str) -> None:
        kind = {"html": "text/html", "css": "text/css", "js": "text/javascript"}[name.rpartition(".")[2]]
        data = get_data("flowcore.ui", name)
        assert data is not None, "the package has these files"
        self._send(data, f"{kind}; charset=utf-8")

    def _stream(self, boards: Boards) -> None:
        """Send boards as they come, until the run is over or the page is gone."""
        self.close_connection = True
        self._head("text/event-stream", HTTPStatus.OK)
        spoke = clock.monotonic()
        while True:
            board = boards.next()
            if board is not None:
                self._say(b"data: " + _packed(board) + b"\n\n")
                spoke = clock.monotonic()
            if boards.over:
                self._say(b"event: over\ndata: {}\n\n")
                return
            if clock.monotonic() - spoke > _QUIET:
                self._say(b": still here\n\n")
                spoke = clock.monotonic()
            clock.sleep(PAUSE)

    def _say(self, words: bytes) -> None:
        self.wfile.write(words)
        self.wfile.flush()

    def _send(self, data: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK, policy: str = _POLICY) -> None:
        self._head(kind, status, length=len(data), policy=policy)
        self.wfile.write(data)

    def _head(self, kind: str, status: HTTPStatus, *, length: int | None = None, policy: str = _POLICY) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if policy:  # the report has one of its own
            self.send_header("Content-Security-Policy", policy)
        for name, value in (
            ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()


def _packed(told: object) -> bytes:
    r"""Give JSON on one line; surrogates and numbers that JSON does not know become text that it does."""
    text = json.dumps(_finite(told), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def _finite(told: object) -> object:
    if isinstance(told, float):
        return told if told - told == 0 else str(told)
    if isinstance(told, dict):
        return {str(name): _finite(value) for name, value in told.items()}
    return [_finite(part) for part in told] if isinstance(told, list | tuple) else told
