"""``flowcore cache verify --recompute 5% FILE.py[:flow]``: compute some kept results again, and compare."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, Usage, add_json, add_size, add_store
from flowcore.cli.printing import document, plain
from flowcore.recompute import recompute
from flowcore.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Draw a flow, compute a part of what the store keeps for it again, and tell what differs; nothing is changed."""
    asked = read_with_file(_parser(), arguments)
    given = asked.given
    settings = Settings.of(
        workers=given.workers, memory=given.memory, store=given.store, seed=given.seed, progress=False
    )
    if not given.sample.isdecimal():
        raise Usage(f"--sample takes a whole number, not {given.sample!r}.")
    found = recompute(asked.drawer.draw(given), part(given.recompute), settings, sample=int(given.sample))
    print(document(found.to_dict()) if given.json else plain(str(found)))
    return 0 if found.sound else 1


def part(text: str) -> float:
    """Read a part of a whole.

    Examples
    --------
    >>> part("5%"), part("0.05")
    (0.05, 0.05)
    """
    number, percent, rest = text.strip().partition("%")
    try:
        return float(number) / (100 if percent and not rest else 1)
    except ValueError:
        raise Usage(f"--recompute takes a part such as 5%, not {text!r}.") from None


def _parser() -> Parser:
    parser = Parser(
        "cache verify", "Compute a part of what the store keeps for a flow again, and compare; nothing is changed.",
        add_help=False, epilog="for example: flowcore cache verify --recompute 5% lands.py",
    )  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    parser.add_argument("--recompute", metavar="PART", required=True, help="how much of it, as 5%% or 0.05")
    parser.add_argument("--sample", metavar="N", default="0", help="another number takes other cells")
    group = parser.add_argument_group("options of the run")
    add_size(group)
    add_store(group)
    group.add_argument("--seed", metavar="N", help="of all random streams")
    add_json(parser)
    return parser
