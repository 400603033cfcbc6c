"""``flowcore config``: the options that a run would have here, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, name, table
from flowcore.settings import OPTION_NAMES, Settings, unknown_variables


def main(arguments: Sequence[str]) -> int:
    """Print all options with their origins."""
    parser = Parser("config", "Show the options that a run would have here, and where each comes from.",
                    epilog="for example: FLOWCORE_WORKERS=4 flowcore config")  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    settings = Settings.of(store=given.store)
    options = [(option, getattr(settings, option), settings.origins[option]) for option in OPTION_NAMES]
    if given.json:
        rows = [{"name": option, "value": value, "origin": origin} for option, value, origin in options]
        print(document({"options": rows, "unknown_variables": unknown_variables()}))
        return 0
    print(table([("option", "value", "from"), *((o, _shown(v), origin) for o, v, origin in options)]))
    for variable in unknown_variables():
        print(f"{name(variable)} is set, and is no option.")
    return 0


def _shown(value: object) -> str:
    return "-" if value in (None, {}, ()) else str(value)
