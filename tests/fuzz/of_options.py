"""Options files: what they say, or BadOption with the place."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from flowcore.errors import BadOption, FlowcoreError
from flowcore.optionfiles import nearest_options
from flowcore.settings import Settings
from tests.fuzz import stores
from tests.fuzz.mutation import blindly
from tests.fuzz.reader import Mistake

_PIECES: Final = (
    b"workers = 4\n",
    b'store = "s"\n',
    b'on_error = "continue"\n',
    b"seed = 7\n",
    b'memory = "2 GiB"\n',
    b'walltime = "1:30:00"\n',
    b'resume = "adopt"\n',
    b"progress = true\n",
    b'executor = "process"\n',
    b"wrokers = 1\n",
    b"workers = 1e400\n",
    b"seed = -9223372036854775809\n",
    b"memory = nan\n",
    b"walltime = inf\n",
    b"store = 1979-05-27\n",
    b"[a]\n",
    b"[[workers]]\n",
    b"a.b.c = 1\n",
    b'"" = 1\n',
    b"workers = [1, 2]\n",
    b"seed = {x = 1}\n",
    b"seed = 0x_1\n",
    b'store = "\\u0000"\n',
    b'store = "\\uD800"\n',
    b"\xff\xfe",
    b"\r",
    b"'''",
    b'"""\\',
    b"seed = " + b"9" * 5000 + b"\n",
    b"a = " + b"[" * 2000,
    b"memory = 1e-400\n",
    b'walltime = "' + b"9" * 400 + b'"\n',
    b"x = " + b"{a=" * 900,
    b".".join([b"a"] * 1200) + b" = 1\n",
    b'memory = "1e999 TiB"\n',
    b"walltime = -1\n",
    b"workers = 99999999999999999999\n",
    b'workers = "auto"\n',
    b"progress = 0\n",
    b'memory = "-1"\n',
    b'walltime = "::"\n',
    b'walltime = "1e5:1:1"\n',
)


def files() -> list[bytes]:
    """Give options files."""
    return [b"".join(_PIECES[:9]), *_PIECES[:9], b""]


def mutate(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a file by lines, or blindly."""
    if rng.random() < 0.4:
        return blindly(rng, data, others)
    lines = data.splitlines(keepends=True)
    for _ in range(rng.choice((1, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(_PIECES))
        if rng.random() < 0.5:
            del lines[rng.randrange(len(lines))]
    return b"".join(lines)[: 1 << 14]


def read(data: bytes) -> str:
    """Put a file where flowcore looks for one, and make settings of it."""
    place = stores.folder() / "options"
    place.mkdir(exist_ok=True)
    (place / "flowcore.toml").write_bytes(data)
    try:
        nearest_options(str(place))
        settings = Settings.of(environment={}, directory=str(place))
    except (FlowcoreError, ExceptionGroup) as refusal:
        return _refused(list(refusal.exceptions) if isinstance(refusal, ExceptionGroup) else [refusal])
    if not isinstance(settings.workers, int) or settings.workers < 1 or not isinstance(settings.seed, int):
        raise Mistake("settings of another form")
    return " ".join(name for name, origin in settings.origins.items() if origin != "default") or "none"


def _refused(refusals: list[Exception]) -> str:
    for refusal in refusals:
        if not isinstance(refusal, BadOption):
            raise refusal
        told = str(refusal)
        if "flowcore.toml" not in told:
            raise Mistake("a refusal without its place")
        if len(told) > 3000:
            raise Mistake("a refusal without end")
    return f"{len(refusals)} refused"
