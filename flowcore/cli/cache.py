"""``flowcore cache ls | du | verify | gc | clear``: what a store holds, whether it is sound, and making room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from flowcore.amounts import size
from flowcore.cli.parser import Parser, Usage, add_json, add_store
from flowcore.cli.printing import document, duration, name, table
from flowcore.errors import did_you_mean, nearest
from flowcore.settings import Settings, whole
from flowcore.store.directory import Store, open_store
from flowcore.store.gc import KEPT_RUNS, Busy, Collected, clear, collect
from flowcore.store.inventory import OneResult, list_results, list_tasks
from flowcore.store.layout import exists
from flowcore.store.usage import usage
from flowcore.store.verify import Findings, verify

_SHOWN = 20
_Given: TypeAlias = Any  # argparse.Namespace
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def main(arguments: Sequence[str]) -> int:
    """Carry out one of the verbs."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(overview())
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb not in VERBS:
        raise Usage(f"there is no verb {name(verb)!r}.{did_you_mean(nearest(verb, VERBS))}")
    try:
        return VERBS[verb][2](rest)
    except Busy:
        raise Usage("another process is making room in this store just now; try again when it is done.") from None


def overview() -> str:
    """Give what ``flowcore cache --help`` prints."""
    lines = ["usage: flowcore cache VERB ...", "", "Look at a store of results, check it, and make room in it.", ""]
    lines += [f"  {f'{verb} {takes}'.strip():<26} {does}" for verb, (takes, does, _) in VERBS.items()]
    return "\n".join(
        [*lines, "", "flowcore cache VERB --help says more. exit codes: 0 ok, 1 damage was found, 2 used wrongly"]
    )


def in_bytes(count: float) -> str:
    """Give a size as people say it.

    Examples
    --------
    >>> in_bytes(512), in_bytes(1536), in_bytes(64 * 2**20)
    ('512 B', '1.5 KiB', '64.0 MiB')
    """
    for unit in _UNITS:
        if abs(count) < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def _ls(arguments: Sequence[str]) -> int:
    parser = Parser("cache ls", "List the tasks whose results are kept, or the results of one task.",
                    epilog="for example: flowcore cache ls erode")  # fmt: skip
    parser.add_argument("task", nargs="?", help="a task: its function's name, with or without the module")
    parser.add_argument(
        "-n", "--last", metavar="N", default=_SHOWN, help=f"how many results; 0: all (default: {_SHOWN})"
    )
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = _opened(given.store)
    if given.task is None:
        tasks = list_tasks(store)
        if given.json:
            print(document({"tasks": [asdict(task) for task in tasks]}))
        elif not tasks:
            print(f"There are no results in {name(store.root)}.")
        else:
            lines = [(t.task, t.results, in_bytes(t.bytes), duration(t.seconds)) for t in tasks]
            print(table([("task", "results", "size", "took"), *lines], right=frozenset({1, 2, 3})))
            if gone := sum(t.gone for t in tasks):
                print(f"The files of {_counted(gone, 'result')} more are gone: computed again when needed.")
        return 0
    results = _results(store, given.task)
    count = whole("last", given.last)
    shown = results[:count] if count else results
    if given.json:
        print(document({"results": [asdict(result) for result in shown]}))
    else:
        rows = [(r.key[:12], r.run, in_bytes(r.bytes), duration(r.seconds)) for r in shown]
        print(table([("key", "run", "size", "took"), *rows], right=frozenset({2, 3})))
        if len(results) > len(shown):
            print(f"... and {len(results) - len(shown)} older ones: flowcore cache ls {name(given.task)} -n 0")
    return 0


def _results(store: Store, task: str) -> Sequence[OneResult]:
    """Give the results of a task; it must have some."""
    results = list_results(store, task)
    if not results:
        known = [one.task for one in list_tasks(store)]
        near = did_you_mean(nearest(task, [*known, *(one.rpartition(".")[2] for one in known)]))
        raise Usage(f"there are no results of {name(task)} in {name(store.root)}.{near}")
    return results


def _du(arguments: Sequence[str]) -> int:
    parser = Parser("cache du", "Tell how much room a store takes, by kind of file.",
                    epilog="for example: flowcore cache du --store /scratch/me/.flowcore")  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = _opened(given.store)
    found = usage(store.disk, store.layout)
    total = sum(each.bytes for each in found.values())
    if given.json:
        print(document({"bytes": total, "kinds": {kind: asdict(each) for kind, each in found.items()}}))
        return 0
    rows = [(kind, each.files, in_bytes(each.bytes)) for kind, each in found.items() if each.files]
    print(table([("kind", "files", "size"), *rows, ("", "", in_bytes(total))], right=frozenset({1, 2})))
    return 0


def _verify(arguments: Sequence[str]) -> int:
    if any(argument.partition("=")[0] == "--recompute" for argument in arguments):
        from flowcore.cli.recompute import main as recompute

        return recompute(arguments)
    parser = Parser(
        "cache verify", "Read everything in a store and compare it with its digests; what is damaged is put aside.",
        epilog="for example: flowcore cache verify; flowcore cache verify --recompute 5% lands.py\n"
        "What was put aside is computed again when it is needed. Exit code 1: something is damaged; 0: nothing is.",
    )  # fmt: skip
    parser.add_argument("--read-only", action="store_true", help="only tell: put nothing aside")
    parser.add_argument(
        "--recompute", metavar="PART FILE.py[:flow]",
        help="compute a part, as 5%%, of what is kept for a flow again, and compare",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = _opened(given.store)
    found = verify(store, read_only=given.read_only)
    advice = _what_to_do(store, found, read_only=given.read_only)
    if given.json:
        print(document({
            "store": str(store.root), "there": exists(store.disk, store.layout.v1), "sound": not found.flaws,
            "checked": found.checked, "bytes": found.bytes, "gone": found.gone,
            "flaws": [asdict(flaw) for flaw in found.flaws], "advice": advice,
        }))  # fmt: skip
    elif exists(store.disk, store.layout.v1):
        _print_findings(found, advice)
    else:
        print(f"There is no store at {name(store.root)}, and nothing to check.")
    return 1 if found.flaws else 0


def _what_to_do(store: Store, found: Findings, *, read_only: bool) -> str:
    """Say what is to be done about flaws; empty: nothing."""
    if not found.flaws:
        return ""
    left = sum(not flaw.moved for flaw in found.flaws)
    if not left:
        return (
            "What was in them is computed again when it is needed: run the flow again. flowcore cache gc removes them."
        )
    if read_only:
        return "Nothing was changed. Without --read-only, what is damaged is put aside."
    if not store.writable:
        return f"{_counted(left, 'file')} cannot be put aside: this store may only be read. Runs do not use them."
    return f"{_counted(left, 'file')} stay where they are: a run that goes on may write there. Check again later."


def _print_findings(found: Findings, advice: str) -> None:
    checked = ", ".join(f"{count} {kind}" for kind, count in found.checked.items()) or "nothing"
    print(f"Checked {checked}: {in_bytes(found.bytes)}.")
    for flaw in found.flaws:
        print(f"damaged: {flaw.kind} {name(flaw.name)}: {flaw.check}")
        if flaw.moved:
            print(f"         moved to {name(flaw.moved)}")
    if found.gone:
        print(f"The files of {_counted(found.gone, 'result')} are gone: computed again when needed.")
    print(f"{_counted(len(found.flaws), 'file')} damaged. {advice}" if found.flaws else "All is sound.")


def _gc(arguments: Sequence[str]) -> int:
    parser = Parser(
        "cache gc", "Remove what nobody has use for; with --to, then give up what is cheapest to compute again.",
        epilog="for example: flowcore cache gc --to 50GiB --dry-run\n"
        "What a run that goes on needs stays. Of runs older than the newest N, the results stay, and when and how\n"
        "they ended; their cells can no longer be looked at.",
    )  # fmt: skip
    parser.add_argument("--to", metavar="SIZE", help="how much may stay, such as 50GiB")
    parser.add_argument(
        "--keep-runs",
        metavar="N",
        default=KEPT_RUNS,
        help=f"how many runs stay whole; see below (default: {KEPT_RUNS})",
    )
    parser.add_argument(
        "--checkpoints",
        action="store_true",
        help="remove the saved states of unfinished cells, too, and those to lengthen simulations from",
    )
    given = _making_room(parser, arguments)
    to = None if given.to is None else size(given.to, option="--to")
    store, keep = _opened(given.store), whole("--keep-runs", given.keep_runs)
    found = collect(store, to=to, keep_runs=keep, checkpoints=given.checkpoints, dry=given.dry_run)
    _tell_collected(found, given)
    if to is not None and found.left > to and not given.json:
        print(f"More than {in_bytes(to)} stays: what runs that go on need, journals of the newest runs\n"
              "(--keep-runs), and states that simulations go on from (--checkpoints).")  # fmt: skip
    return 0


def _clear(arguments: Sequence[str]) -> int:
    parser = Parser(
        "cache clear", "Remove the results of a task, or all that runs which have ended left in a store.",
        epilog="for example: flowcore cache clear --task erode",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--task", metavar="NAME", help="its function's name, with or without the module")
    which.add_argument("--all", action="store_true", help="results, history, checkpoints and logs of all runs")
    given = _making_room(parser, arguments)
    store = _opened(given.store)
    if given.task is not None:
        _results(store, given.task)
    _tell_collected(clear(store, task=given.task, dry=given.dry_run), given)
    return 0


def _making_room(parser: Parser, arguments: Sequence[str]) -> _Given:
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only tell what would be")
    add_store(parser)
    add_json(parser)
    return parser.read(arguments)


def _tell_collected(found: Collected, given: _Given) -> None:
    if given.json:
        print(document({
            "removed": {kind: asdict(each) for kind, each in found.removed.items()}, "bytes": found.bytes,
            "results": found.results, "seconds": found.seconds, "packed": found.packed, "left": found.left,
            "living": found.living, "dry_run": given.dry_run,
        }))  # fmt: skip
        return
    would = "would be " if given.dry_run else ""
    for kind, each in found.removed.items():
        if kind != "journals" or not found.packed:
            print(f"{would}removed: {each.files} {kind}, {in_bytes(each.bytes)}")
    if found.packed:
        print(f"{would}packed: {found.packed} journals into one of {in_bytes(found.written)}")
    if found.results:
        print(f"{would}given up: {_counted(found.results, 'result')} that took {duration(found.seconds)}")
    if found.living:
        print(f"{_counted(found.living, 'run')} may go on: what they need stays.")
    print(f"{in_bytes(found.bytes)} {would}gained, {in_bytes(found.left)} left.")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _opened(given: str | None) -> Store:
    store = open_store(Settings.of(store=given).store)  # type: ignore[arg-type]
    if not store.readable and store.trouble is not None:
        raise store.trouble
    return store


VERBS: dict[str, tuple[str, str, Callable[[Sequence[str]], int]]] = {
    "ls": ("[TASK]", "list the tasks whose results are kept, or the results of one", _ls),
    "du": ("", "tell how much room each kind of file takes", _du),
    "verify": ("", "compare everything with its digests, and put aside what is damaged", _verify),
    "gc": ("[--to SIZE]", "remove what nobody has use for; make the rest fit", _gc),
    "clear": ("--task NAME | --all", "remove results", _clear),
}
"""Verb to what it takes and does, in the order of ``flowcore cache --help``."""
