"""``flowcore init [DIR]``: a small pipeline to begin with, that runs as it is.

Never writes over a file: what is there already stays, and is named.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Sequence
from contextlib import suppress

from flowcore.cli.parser import Parser, Usage, add_json
from flowcore.cli.printing import document, name
from flowcore.store.fs import CREATE, DISK, write_all

FILES = ("pipeline.py", "test_pipeline.py", "conftest.py", "flowcore.toml", "README.md", ".gitignore")


def main(arguments: Sequence[str]) -> int:
    """Write the files of a small project, and tell what to type next."""
    parser = Parser("init", "Write a small pipeline that runs as it is, with its test and its options.",
                    epilog="for example: flowcore init heat && cd heat && flowcore run pipeline.py")  # fmt: skip
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", default=".", help="where to (default: here); made if need be"
    )
    add_json(parser)
    given = parser.read(arguments)
    try:
        _write(given.folder)
    except OSError as error:
        raise Usage(f"{name(given.folder)} cannot be written: {error.strerror}.") from None
    if given.json:
        print(document({"folder": os.path.abspath(given.folder), "files": list(FILES)}))
        return 0
    go = "" if given.folder in {".", ""} else f"cd {name(given.folder)} && "
    print(f"{', '.join(FILES)} written. Now:\n  {go}flowcore run pipeline.py\n"
          "  flowcore run pipeline.py --rates 0.05,0.1,0.2,0.24   # only what is new runs\n"
          "  flowcore plan pipeline.py                            # what would run, and why")  # fmt: skip
    return 0


def _write(folder: str) -> None:
    with suppress(FileExistsError):
        DISK.mkdir(folder)
    there = sorted(set(FILES).intersection(DISK.listdir(folder)))
    if there:
        raise Usage(f"{name(folder)} has a {there[0]} already. Nothing was written; name another folder.")
    for file in FILES:
        fd = DISK.open(f"{folder}/{file}", CREATE, 0o666)
        try:
            write_all(DISK, fd, template(file).encode())
        finally:
            DISK.close(fd)


def template(file: str) -> str:
    """Give the text of a file of the project."""
    text = pkgutil.get_data("flowcore.cli", f"project/{file.lstrip('.')}.txt")
    assert text is not None, "the package has these files"
    return text.decode()
