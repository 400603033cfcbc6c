"""Claims about gathers that leave failed cells out."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowcore as fc


@pytest.mark.contract("K28")
def test_a_result_without_the_failed_cells_is_never_kept(store: Path, tmp_path: Path) -> None:
    """While the cause lasts it is made anew in each run; once it is mended, the whole result is kept."""
    trouble = tmp_path / "trouble"
    trouble.touch()

    @fc.io(cache=True)
    def fragile(x: int, path: str) -> int:
        if x == 2 and Path(path).exists():
            raise OSError("the disk is away")
        return x

    @fc.compute
    def told(values: dict[int, int]) -> list[int]:
        return sorted(values)

    with fc.Flow("partial") as flow:
        cells = fragile(fc.each(x=[1, 2, 3]), str(trouble))
        flow.result = told(fc.gather(cells, labels=True, missing="drop-failed"))
    partial = []
    for _ in range(2):
        run = flow.start(store=store, progress=False, on_error="continue")
        with pytest.raises(fc.RunFailed):
            run.wait()
        partial.append((run[flow.result], run.counts("told").done))
    trouble.unlink()

    whole = flow.run(store=store, progress=False)[flow.result]
    again = flow.run(store=store, progress=False)

    assert [([1, 3], 1), ([1, 3], 1)] == partial
    assert [1, 2, 3] == whole
    assert 1 == again.counts("told").hit


@pytest.mark.contract("K28", "P4")
@pytest.mark.parametrize("executor", ["inline", None])
def test_cells_that_are_kept_travel_with_some_that_are_not(store: Path, executor: str | None) -> None:
    """Of one task, some are handed a partial gather; the others are kept, and so is what follows from either."""

    @fc.compute
    def fragile(x: int) -> int:
        if x == 2:
            raise OSError("the disk is away")
        return x

    @fc.compute
    def more(value: dict[int, int] | int) -> int:
        return sum(value.values()) if isinstance(value, dict) else value + 1

    with fc.Flow("both") as flow:
        cells = fragile(fc.each(x=[1, 2, 3, 4, 5]))
        names = [flow.add(more, fc.gather(cells, labels=True, missing="drop-failed"), name="partial")]
        names += [flow.add(more, fragile(10 * i), name=f"whole{i}") for i in range(1, 9)]
        for i in range(8):
            names += [flow.add(more, name, name=f"{i} after {j}") for j, name in enumerate(names[-9:])]
        flow.result = names[-9:]
    found = []
    for _ in range(2):
        run = flow.start(store=store, progress=False, on_error="continue", executor=executor, workers=1)
        with pytest.raises(fc.RunFailed):
            run.wait()
        found.append((run[flow.result], run.counts("partial").done, run.counts("0 after 0").hit))

    expected = [13 + 8, *(10 * i + 9 for i in range(1, 9))]
    assert [(expected, 1, 0), (expected, 1, 1)] == found
