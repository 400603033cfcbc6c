"""The flow that `inspecting.md` looks at, and the pictures and tables on that page: made by `make docs`.

``python docs/inspecting.py FOLDER`` writes them somewhere else.
"""

import sys
import time
from pathlib import Path

import networkx as nx
import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]


# [tasks]
@fc.io
def load(tile: str) -> Array:
    """Read a tile of terrain."""
    return np.add.outer(np.arange(64.0), np.arange(64.0) % (7 if tile == "north" else 5))


@fc.io
def rainfall(url: str) -> float:
    """Fetch a year's rain, in metres."""
    return len(url) / 10


@fc.compute
def erode(land: Array, rain: float, rate: float) -> Array:
    """Let rivers cut into the land."""
    if rate > 0.3:
        raise ValueError(f"rate {rate} is not stable")
    time.sleep(0.1 * len(str(rate)))
    return land - rate * rain * np.hypot(*np.gradient(land))


@fc.compute
def slope(land: Array) -> float:
    """Give the mean slope."""
    return float(np.hypot(*np.gradient(land)).mean())


@fc.compute
def rank(slopes: list[float]) -> list[int]:
    """Order lands by slope."""
    return [int(i) for i in np.argsort(slopes)]


@fc.compute
def chart(values: object, before: object) -> str:
    """Draw a chart."""
    time.sleep(0.2)
    return f"{values} after {before}"


@fc.io
def publish(text: str) -> str:
    """Put a page on the web."""
    return text


# [flow]
@fc.flow
def measured(land: Array) -> list[int]:
    """Measure each land, and order them."""
    return rank(fc.gather(slope(land)))


@fc.flow
def lands(tiles: list[str], rates: list[float]) -> str:
    """Erode each tile at each rate, and compare before and after."""
    terrain = load(fc.each(tile=tiles))
    eroded = erode(terrain, rainfall("https://example.org/rain"), fc.each(rate=rates))
    return publish(chart(measured(eroded), measured(terrain)))


# [end]


def make(folder: Path) -> None:
    """Write the pictures and tables of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "store"
    flow = lands(["north", "south"], [0.1, 0.25])
    flow.draw(folder / "flow.svg")
    folder.joinpath("flow.mmd.txt").write_text(flow.to_mermaid())
    run = flow.run(store=store, workers=2, progress=False)
    wider = lands(["north", "south"], [0.1, 0.2, 0.25])
    plan = wider.plan(store=store, workers=2)
    folder.joinpath("plan.txt").write_text(f"{plan}\n")
    folder.joinpath("speedup.txt").write_text(f"{flow.plan(store=store, refresh=True).speedup([1, 2, 4, 8])}\n")
    broken = lands(["north", "south"], [0.1, 0.2, 0.4]).start(
        store=store, workers=2, progress=False, on_error="continue"
    )
    try:
        broken.wait()
    except fc.RunFailed:
        broken.draw(folder / "run.svg")
    slowest = nx.dag_longest_path(run.graph, weight=None)
    cells = run.to_networkx(cells=True)
    told = [f"{name}: {facts['state']}, {facts['bytes']} bytes" for name, facts in cells.nodes(data=True)]
    folder.joinpath("networkx.txt").write_text("\n".join([f"{' -> '.join(slowest)}", *told[:4]]) + "\n")
    loop = fc.Flow("ensemble")
    members = [loop.add(slope, loop.add(load, f"member {i}", name=f"member_{i}"), name=f"slope_{i}") for i in range(50)]
    loop.add(rank, members, name="order")
    loop.draw(folder / "ensemble.svg")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
