"""Claims about ui/server.py: who is answered, who is refused, and that nothing else listens."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.ui.server import Page, Server
from tests.cli.conftest import ENVIRON


@fc.compute
def half(x: float) -> float:
    """Halve; fail for zero."""
    return 1 / x / 2


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """Give a server over a store with one run, of which a cell failed."""
    with fc.Flow("halves") as flow:
        half(fc.each(x=[1.0, 2.0, 0.0]))
    run = flow.start(store=tmp_path / "store", on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    server = Server(open_store(tmp_path / "store"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


def asked(server: Server, path: str, *, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """Ask the server for something behind the token; give the answer, read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path if path.startswith("/") else f"/{server.token}/{path}", headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


@pytest.mark.contract("S9")
@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1:1"}, {"Host": ""}, {"Origin": "http://evil.example"},
     {"Origin": "null"}, {"Origin": "http://127.0.0.1"}],
)  # fmt: skip
def test_others_are_refused(served: Server, headers: dict[str, str]) -> None:
    """A name that was made to point here, and a page of another site, token or not."""
    answer = asked(served, "runs", **headers)

    assert (403, b"refused\n") == (answer.status, answer.body)  # type: ignore[attr-defined]


@pytest.mark.contract("S9")
@pytest.mark.parametrize("path", ["/", "/runs", "//runs", "/x/runs", "/%00/", "/../", "/{token}x/runs", "/{half}/runs"])
def test_the_token_is_needed(served: Server, path: str) -> None:
    """All of it, and as the first part of the path."""
    whole = path.format(token=served.token, half=served.token[:16])

    assert 403 == asked(served, whole).status


def said(server: Server, *words: bytes) -> bytes:
    """Say something over a socket, and nothing more; give what comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        for word in words:
            connection.sendall(word)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.contract("S9")
@pytest.mark.parametrize(
    "request_",
    [b"GET http://127.0.0.1/{token}/runs HTTP/1.1", b"GET /{token}/runs HTTP/1.1", b"GET /{token}/runs",
     b"GET /{token}/runs HTTP/1.1\r\nHost: evil.example\r\nHost: {host}",
     b"GET /{token}/runs HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nOrigin: http://{host}"],
    ids=["a whole address", "no host", "an old protocol", "two hosts", "two origins"],
)  # fmt: skip
def test_odd_requests_are_refused(served: Server, request_: bytes) -> None:
    """Whatever the form, a request has to say that it means this server; what it says of itself is not repeated."""
    host = f"127.0.0.1:{served.server_port}".encode()
    words = request_.replace(b"{token}", served.token.encode()).replace(b"{host}", host)
    answer = said(served, words + b"\r\nConnection: close\r\n\r\n")

    assert answer.endswith(b"refused\n")
    assert served.token.encode() not in answer


@pytest.mark.contract("S9", "S7")
def test_a_huge_request_is_not_read(served: Server) -> None:
    """Neither a line nor headers without end."""
    assert b" 414 " in said(served, b"GET /" + b"x" * 65_532)[:40]
    assert b" 431 " in said(served, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101)[:40]


@pytest.mark.contract("S9")
def test_who_says_nothing_is_not_waited_for(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request, and then silence: the connection is closed, and others are answered."""
    monkeypatch.setattr(Page, "timeout", 0.01)
    monkeypatch.setattr(served, "_places", threading.Semaphore(1))
    silent = [said(served, b"GET /") for _ in range(3)]
    monkeypatch.undo()

    assert [b"", b"", b""] == silent
    assert 200 == asked(served, "runs").status


@pytest.mark.contract("S9")
def test_no_more_are_served_than_there_are_places(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes then is turned away at once, and costs no thread."""
    monkeypatch.setattr(served, "_places", threading.Semaphore(0))

    assert b"" == said(served)


@pytest.mark.contract("S9")
def test_it_only_reads(served: Server) -> None:
    """Other methods are not known, and it is bound to this machine alone."""
    assert [501, 501, 501] == [asked(served, "runs", method=method).status for method in ("POST", "PUT", "DELETE")]
    assert "127.0.0.1" == served.server_address[0]


def test_runs_and_boards_are_told(served: Server) -> None:
    """The list of runs, and a stream of one board and its end for a run that is over."""
    runs = json.loads(asked(served, "runs").body)  # type: ignore[attr-defined]
    answer = asked(served, f"run/{runs[0]['id']}/board")
    first, second = answer.body.decode().strip().split("\n\n")  # type: ignore[attr-defined]
    board = json.loads(first.removeprefix("data: "))

    assert ("halves", "failed") == (runs[0]["flow"], runs[0]["status"])
    assert "text/event-stream" == answer.headers["Content-Type"]
    assert "event: over\ndata: {}" == second
    assert (3, 3, 1, "failed") == (board["cells"], board["ended"], board["failed"], board["status"])
    assert "half[x=0.0]" == board["failures"][0]["cell"]


def test_pictures_and_reports_are_made(served: Server) -> None:
    """Under a policy by which no other script runs; the report brings one of its own."""
    run = json.loads(asked(served, "runs").body)[0]["id"]  # type: ignore[attr-defined]
    picture, report, page = asked(served, f"run/{run}/picture"), asked(served, f"run/{run}/report"), asked(served, "")

    assert picture.body.startswith(b"<svg")  # type: ignore[attr-defined]
    assert b"Content-Security-Policy" in report.body  # type: ignore[attr-defined]
    assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
    assert {"no-store"} == {answer.headers["Cache-Control"] for answer in (picture, report, page)}


@pytest.mark.parametrize("path", ["nothing", "run/x/board", "run/..%2F..%2Fetc/board", "run/", "live.py", "../server"])
def test_what_is_not_there(served: Server, path: str) -> None:
    """No file is ever looked up by what was asked for."""
    assert 404 == asked(served, path).status


LISTENING = """
import sys
bound = []
sys.addaudithook(lambda event, args: bound.append(args[1]) if event == "socket.bind" else None)
import flowcore as fc
def double(x): return 2 * x
async def later(x): return x
with fc.Flow("f") as flow:
    a = fc.compute(double)(fc.each(x=[1, 2]))
    b = fc.io(later)(fc.each(x=[1, 2]))
run = flow.run(store=sys.argv[1], progress=False)
assert run.status == "done" and fc.open_run(run.id, store=sys.argv[1]).status == "done"
print(bound)
"""


@pytest.mark.contract("S9")
def test_nothing_else_listens(tmp_path: Path) -> None:
    """A whole run, with processes and a loop, binds no socket."""
    script = tmp_path / "script.py"
    script.write_text(LISTENING)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")], env=ENVIRON, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip

    assert "[]\n" == done.stdout
