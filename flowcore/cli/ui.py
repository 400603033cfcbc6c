"""``flowcore ui``: a page of this machine that follows the runs of a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from flowcore.cli.parser import Parser, Usage, add_json, add_store
from flowcore.cli.printing import name, tell
from flowcore.settings import Settings, whole
from flowcore.store.directory import open_store
from flowcore.ui.server import Server


def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C; print its address first."""
    parser = Parser("ui", "Serve a page that follows the runs of a store, live and over, to this machine alone.",
                    epilog="the address has a token: whoever has it may look, and nobody else\n"
                    "for example: flowcore ui --store /scratch/me/.flowcore")  # fmt: skip
    parser.add_argument("--port", metavar="N", default="0", help="0, the default: any that is free")
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = open_store(Settings.of(store=given.store).store)  # type: ignore[arg-type]
    if not store.readable and store.trouble is not None:
        raise store.trouble
    port = whole("--port", given.port)
    try:
        server = Server(store, port=port)
    except (OSError, OverflowError) as error:
        raise Usage(f"port {port} cannot be had: {getattr(error, 'strerror', None) or error}.") from None
    with server:
        print(json.dumps({"schema": 1, "address": server.address}) if given.json else server.address)
        sys.stdout.flush()
        if not given.json:
            tell(f"It shows the runs in {name(store.root)} as they go on. Ctrl-C ends it; the runs go on.")
        try:
            server.serve_forever(poll_interval=0.5)
        except KeyboardInterrupt:
            return 0
    return 0
