"""A landscape evolves under a grid of erosion rates and uplifts: the whole of flowcore on real terrain.

The terrain is the elevation model of the Jacksboro fault (Tennessee, USGS data, part of matplotlib's
sample data). A table of rainfall comes over HTTP, from a server that this script starts on the loopback
interface. Then each pair of erodibility and uplift rate is simulated for thousands of steps, measured,
and drawn.

    python examples/landscape.py                              # runs everything
    python examples/landscape.py                              # once more: no compute cell runs
    python examples/landscape.py --rates 1e-6,2e-6,4e-6,9e-6  # one rate changed: only its column runs

    python examples/landscape.py --steps 2667                 # a million years: goes on from the 750,000

Kill it at any moment, with kill -9 if you like, and start it again: what is finished stays finished,
and a simulation goes on where its state was last saved.

Model
-----
The surface height z obeys  dz/dt = U - K Q^m S^n + D laplacian(z)  with uplift rate U, erodibility K,
discharge Q (drainage area weighted by rainfall, in m^2 of a metre of rain a year), slope S along the
steepest descent, diffusivity D of hillslopes, m = 1/2 and n = 1. Rivers leave where the border of the map
is lowest for some way to both sides; these outlets keep their height: they are the base level.

References
----------
R. Barnes, C. Lehman, D. Mulla, "Priority-flood: an optimal depression-filling and watershed-labeling
algorithm for digital elevation models", Computers & Geosciences 62, 2014.

J. Braun, S. D. Willett, "A very efficient O(n), implicit and parallel method to solve the stream power
equation governing fluvial incision and landscape evolution", Geomorphology 180-181, 2013.

G. E. Tucker, G. R. Hancock, "Modelling landscape evolution", Earth Surface Processes and Landforms 35, 2010.

J. F. O'Callaghan, D. M. Mark, "The extraction of drainage networks from digital elevation data", Computer
Vision, Graphics, and Image Processing 28, 1984 (flow goes to the lowest of eight neighbours).

B. K. P. Horn, "Hill shading and the reflectance map", Proceedings of the IEEE 69, 1981.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import heapq
import http.server
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Spacing = tuple[float, float]  # metres between rows, and between columns
Pair = tuple[float, float]  # a rate and an uplift

YEARS_A_STEP = 375.0
STEPS_A_FILL = 80  # closed basins fill with sediment this often
DIFFUSIVITY = 0.02  # m^2 a year, of soil creeping down a slope
METRES_A_DEGREE = 111_195.0  # of latitude
SMALLEST_RIVER = 8e6  # m^3 a year that a picture shows
NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]

# Round figures of the right size for the Cumberland Mountains, made up for this example.
RAINFALL = b"""station,elevation_m,rain_mm_a_year
valley floor,290,1240
lower bench,420,1300
upper bench,610,1390
ridge,860,1480
summit,1040,1590
"""


# Reading: io tasks run on threads or on the event loop, and are not cached unless asked, since the world may change.


@fc.io
def load(path: str) -> tuple[Array, Spacing]:
    """Read a terrain: heights in metres, and the metres between its rows and columns."""
    with np.load(path) as file:
        heights = file["elevation"].astype(np.float64)
        latitude = np.radians((float(file["ymin"]) + float(file["ymax"])) / 2)
        rows = float(file["dy"]) * METRES_A_DEGREE
        columns = float(file["dx"]) * METRES_A_DEGREE * float(np.cos(latitude))
    return heights, (rows, columns)


@fc.io(retries=3, backoff="200ms", timeout="20s")
async def fetch(url: str) -> list[tuple[float, float]]:
    """Fetch a rainfall table: pairs of height in metres and rain in metres a year."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split()[1:2] != [b"200"]:
        raise ConnectionError(f"{url} answered {head[:60]!r}")
    rows = csv.DictReader(io.StringIO(body.decode()))
    return [(float(row["elevation_m"]), float(row["rain_mm_a_year"]) / 1000) for row in rows]


# Preparing: compute tasks run in worker processes, and their results are kept.


@fc.compute
def coarsen(heights: Array, spacing: Spacing, factor: int) -> tuple[Array, Spacing]:
    """Give the lowest cells of square blocks, so that gaps keep open; what does not fill a block is cut off."""
    rows, columns = (length // factor for length in heights.shape)
    cut = heights[: rows * factor, : columns * factor]
    lowest = cut.reshape(rows, factor, columns, factor).min(axis=(1, 3))
    return lowest, (spacing[0] * factor, spacing[1] * factor)


@fc.compute
def outlets(heights: Array, reach: int = 4) -> Mask:
    """Find where rivers leave: cells of the border that are the lowest of it for `reach` cells to both sides."""
    rows, columns = heights.shape
    right, down = np.arange(columns), np.arange(1, rows - 1)
    row = np.concatenate([0 * right, down, 0 * right + rows - 1, down[::-1]])
    column = np.concatenate([right, 0 * down + columns - 1, right[::-1], 0 * down])
    border = heights[row, column]
    lowest = np.min([np.roll(border, shift) for shift in range(-reach, reach + 1)], axis=0)
    found = np.zeros(heights.shape, dtype=bool)
    found[row, column] = border == lowest
    return found


@fc.compute
def fill(heights: Array, base: Mask, slope: float = 1e-3) -> Array:
    """Raise the floors of closed basins until all water can reach an outlet (priority-flood).

    Parameters
    ----------
    heights : ndarray of float64, shape (rows, columns)
        Metres.
    base : ndarray of bool, shape (rows, columns)
        The outlets.
    slope : float
        Metres that a filled cell lies above the one it drains to, so that no flat remains.
    """
    rows, columns = heights.shape
    filled, seen = heights.copy(), base.copy()
    heap = [(float(filled[place]), *place) for place in zip(*np.nonzero(seen), strict=True)]
    heapq.heapify(heap)
    while heap:
        level, row, column = heapq.heappop(heap)
        for down, right in NEIGHBOURS:
            place = row + down, column + right
            if not (0 <= place[0] < rows and 0 <= place[1] < columns) or seen[place]:
                continue
            seen[place] = True
            filled[place] = max(float(filled[place]), level + slope)
            heapq.heappush(heap, (float(filled[place]), *place))
    return filled


@fc.compute
def rain_over(heights: Array, stations: list[tuple[float, float]]) -> Array:
    """Spread the rain of a few stations over the terrain by its linear trend with height."""
    height, rain = np.array(stations).T
    trend, foot = np.polyfit(height, rain, 1)
    return np.asarray(np.maximum(trend * heights + foot, 0.0))


# Simulating: pure functions of arrays, used by the task `evolve`.


def route(heights: Array, base: Mask, spacing: Spacing) -> tuple[Indices, Array]:
    """Find where each cell drains to: the steepest of its eight neighbours.

    Returns
    -------
    receivers : ndarray of intp, shape (cells + 1,)
        Flat index of the receiver. Outlets and pits drain to `cells`, which stands for "out of here".
    lengths : ndarray of float64, shape (cells + 1,)
        Metres to the receiver.
    """
    rows, columns = heights.shape
    around = np.full((rows + 2, columns + 2), np.inf)
    around[1:-1, 1:-1] = heights
    steps = np.array([np.hypot(down * spacing[0], right * spacing[1]) for down, right in NEIGHBOURS])
    drops = np.empty((len(NEIGHBOURS), rows, columns))
    for drop, step, (down, right) in zip(drops, steps, NEIGHBOURS, strict=True):
        np.subtract(heights, around[1 + down : rows + 1 + down, 1 + right : columns + 1 + right], out=drop)
        drop /= step
    steepest = drops.argmax(axis=0).ravel()
    offsets = np.array([down * columns + right for down, right in NEIGHBOURS])
    stays = base.ravel() | (drops.max(axis=0) <= 0).ravel()
    receivers = np.where(stays, heights.size, np.arange(heights.size) + offsets[steepest])
    return np.append(receivers, heights.size), np.append(steps[steepest], 1.0)


def leaps(receivers: Indices) -> list[Indices]:
    """Give the receivers 1, 2, 4, 8, ... cells downstream, until all water is out.

    With these, a sum or a recurrence along all flow paths takes a handful of array operations
    instead of a loop over the cells in order (pointer doubling).
    """
    out = len(receivers) - 1
    found = [receivers]
    while (found[-1] != out).any():
        found.append(found[-1][found[-1]])
    return found


def accumulate(amounts: Array, downstream: list[Indices]) -> Array:
    """Add up what each cell receives from all cells upstream, its own share included."""
    total = np.append(amounts.ravel(), 0.0)
    for receivers in downstream:
        total = total + np.bincount(receivers, weights=total, minlength=len(total))
    return total[:-1].reshape(amounts.shape)


def incise(heights: Array, pull: Array, downstream: list[Indices]) -> Array:
    """Let rivers cut, implicitly: each new height is (old + pull * new height of the receiver) / (1 + pull).

    A cell without receiver keeps its height. The recurrence is linear for n = 1, so composing it
    with itself doubles the number of cells it reaches. Stable for any step (Braun & Willett).
    """
    out = downstream[0] == len(downstream[0]) - 1
    share = pull / (1.0 + pull)
    height = np.append(heights.ravel(), 0.0) * np.where(out, 1.0, 1.0 / (1.0 + pull))
    for receivers in downstream:
        height = height + share * height[receivers]
        share = share * share[receivers]
    return height[:-1].reshape(heights.shape)


def creep(heights: Array, spacing: Spacing, amount: float) -> Array:
    """Let soil creep down: one explicit step of diffusion by `amount` m^2. None crosses the border of the map."""
    around = np.pad(heights, 1, mode="edge")
    over_rows = (around[2:, 1:-1] - 2 * heights + around[:-2, 1:-1]) / spacing[0] ** 2
    over_columns = (around[1:-1, 2:] - 2 * heights + around[1:-1, :-2]) / spacing[1] ** 2
    return heights + amount * (over_rows + over_columns)


@fc.compute(extend="steps")
def evolve(
    start: Array, base: Mask, rain: Array, spacing: Spacing, rate: float, uplift: float, steps: int,
    *, ckpt: fc.Checkpoint = fc.Checkpoint(),
) -> Array:  # fmt: skip
    """Simulate uplift, rivers and hillslopes for `steps` times `YEARS_A_STEP` years.

    Its state is saved about every half minute, so a kill costs that much at most; more steps
    go on from where fewer have ended.

    Parameters
    ----------
    start : ndarray of float64, shape (rows, columns)
        Heights in metres.
    base : ndarray of bool, shape (rows, columns)
        The outlets, which keep their height.
    rain : ndarray of float64, shape (rows, columns)
        Metres a year.
    spacing : tuple of float
        Metres between rows and between columns.
    rate : float
        Erodibility K, 1/year where a metre of rain falls a year.
    uplift : float
        Millimetres a year.
    steps : int
        Number of time steps.
    """
    if DIFFUSIVITY * YEARS_A_STEP * (spacing[0] ** -2 + spacing[1] ** -2) > 0.5:
        raise ValueError(f"cells of {spacing} m are too small for steps of {YEARS_A_STEP} years")
    rise = np.where(base, 0.0, uplift / 1000 * YEARS_A_STEP)
    water = rain * spacing[0] * spacing[1]
    s = ckpt.state(heights=start)
    for step in ckpt.steps(steps):
        heights = fill(s.heights, base) if step % STEPS_A_FILL == 0 else s.heights
        receivers, lengths = route(heights, base, spacing)
        downstream = leaps(receivers)
        power = np.append(np.sqrt(accumulate(water, downstream)), 0.0)
        heights = incise(heights + rise, rate * YEARS_A_STEP * power / lengths, downstream)
        s.heights = np.where(base, start, creep(heights, spacing, DIFFUSIVITY * YEARS_A_STEP))
        ckpt.metric(highest=s.heights.max())
    final: Array = s.heights
    return final


# Looking: what came out, as numbers and as pictures.


@fc.compute
def slope(heights: Array, spacing: Spacing) -> Array:
    """Give the steepness of a terrain, in metres a metre."""
    over_rows, over_columns = np.gradient(heights, *spacing)
    return np.asarray(np.hypot(over_rows, over_columns))


@fc.compute
def measure(start: Array, land: Array, steepness: Array, uplift: float, steps: int) -> dict[str, float]:
    """Sum up one landscape: relief, what was eroded, and how steep it is."""
    rise = uplift / 1000 * YEARS_A_STEP * steps
    return {
        "highest": float(land.max()),
        "relief": float(np.percentile(land, 95) - np.percentile(land, 5)),
        "erosion": float((start + rise - land).mean()),
        "slope": float(steepness.mean()),
    }


def enlarge(values: Array, factor: int) -> Array:
    """Interpolate linearly between cells, `factor` values for one in both directions."""
    for axis in (0, 1):
        length = values.shape[axis]
        at = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
        low = np.minimum(at.astype(int), length - 2)
        part = (at - low)[:, None] if axis == 0 else at - low
        values = np.take(values, low, axis) * (1 - part) + np.take(values, low + 1, axis) * part
    return values


def shade(heights: Array, spacing: Spacing, *, azimuth: float = 315.0, altitude: float = 45.0) -> Array:
    """Light a terrain from `azimuth` and `altitude` degrees: 0 is dark, 1 is bright (Horn)."""
    over_rows, over_columns = np.gradient(heights, *spacing)
    light, height = np.radians(azimuth), np.radians(altitude)
    # Rows run south: towards east, north and up the normal of the surface is (-over_columns, over_rows, 1).
    toward = -over_columns * np.sin(light) + over_rows * np.cos(light)
    bright = (np.sin(height) + np.cos(height) * toward) / np.sqrt(1 + over_rows**2 + over_columns**2)
    return np.asarray(np.clip(bright, 0.0, 1.0))


def tint(heights: Array, lowest: float, highest: float) -> Array:
    """Colour heights as in an atlas: green plains, ochre slopes, pale summits. Shape (rows, columns, 3)."""
    stops = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    colours = np.array([(98, 140, 94), (158, 175, 112), (205, 184, 128), (170, 132, 100), (238, 232, 224)]) / 255
    height = (heights - lowest) / max(highest - lowest, 1e-9)
    return np.stack([np.interp(height, stops, colour) for colour in colours.T], axis=-1)


def rivers(land: Array, base: Mask, rain: Array, spacing: Spacing, zoom: int) -> Array:
    """Draw the rivers on a grid `zoom` times finer: 0 is dry, 1 the middle of a large river."""
    receivers, _ = route(fill(land, base), base, spacing)
    water = accumulate(rain * spacing[0] * spacing[1], leaps(receivers)).ravel()
    source = np.flatnonzero((water > SMALLEST_RIVER) & (receivers[:-1] < land.size))
    strength = np.clip(np.log10(water[source] / SMALLEST_RIVER) / 1.5, 0.4, 1.0)
    here, there = (np.stack(np.divmod(cells, land.shape[1])) for cells in (source, receivers[source]))
    wet = np.zeros((land.shape[0] * zoom, land.shape[1] * zoom))
    for part in np.linspace(0, 1, 2 * zoom):
        row, column = ((here + (there - here) * part + 0.5) * zoom).astype(int)
        for down, right in [(0, 0), (0, -1), (-1, 0), (-1, -1)]:
            np.maximum.at(wet, (row + down, column + right), strength)
    return wet


@fc.compute
def hillshade(land: Array, start: Array, base: Mask, rain: Array, spacing: Spacing, zoom: int = 8) -> NDArray[np.uint8]:
    """Draw a landscape in relief with its rivers, coloured by the heights of `start`; shape (rows, columns, 3)."""
    heights = enlarge(land, zoom)
    light = shade(heights * 3, (spacing[0] / zoom, spacing[1] / zoom))  # heights tripled, as maps of this scale do
    picture = tint(heights, float(start.min()), float(start.max())) * (0.35 + 0.85 * light[..., None])
    wet = rivers(land, base, rain, spacing, zoom)[..., None]
    picture = picture * (1 - wet) + np.array([52, 101, 164]) / 255 * wet
    return np.asarray(np.clip(picture * 255, 0, 255).astype(np.uint8))


@fc.compute
def table(figures: dict[Pair, dict[str, float]]) -> str:
    """Write the figures of all landscapes as a text table."""
    lines = [" rate [1/yr]  uplift [mm/yr]  highest [m]  relief [m]  mean erosion [m]  mean slope"]
    for (rate, uplift), one in figures.items():
        lines.append(
            f"{rate:12.3g}{uplift:16.3g}{one['highest']:13.0f}{one['relief']:12.0f}{one['erosion']:18.1f}{one['slope']:12.3f}"
        )
    return "\n".join(lines)


@fc.io
def save(picture: NDArray[np.uint8], folder: str, rate: float, uplift: float) -> str:
    """Write one picture as PNG and give its path."""
    from matplotlib.image import imsave  # noqa: PLC0415 - only the main process draws

    path = Path(folder) / f"landscape-rate{rate:g}-uplift{uplift:g}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, picture)
    return str(path)


@fc.io
def sheet(pictures: dict[Pair, NDArray[np.uint8]], folder: str) -> str:
    """Write one PNG with all pictures side by side and give its path."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only the main process draws

    rates, uplifts = (sorted({pair[place] for pair in pictures}) for place in (0, 1))
    figure = Figure(figsize=(3 * len(rates), 2.85 * len(uplifts)), layout="constrained")
    axes = figure.subplots(len(uplifts), len(rates), squeeze=False)
    for (rate, uplift), picture in pictures.items():
        ax = axes[uplifts.index(uplift)][rates.index(rate)]
        ax.imshow(picture)
        ax.set_title(f"K = {rate:g} / yr, U = {uplift:g} mm / yr", fontsize=9)
        ax.set_axis_off()
    path = Path(folder) / "landscapes.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    return str(path)


# The flow: drawing it runs nothing.


@fc.flow
def landscape(
    path: str, url: str, rates: list[float], uplifts: list[float], *, steps: int, factor: int, out: str
) -> dict[str, Any]:
    """Draw the whole study: one cell of `evolve` for each pair of a rate and an uplift."""
    raw, raw_spacing = load(path)
    coarse, spacing = coarsen(raw, raw_spacing, factor)
    base = outlets(coarse)
    start = fill(coarse, base)
    rain = rain_over(start, fetch(url))
    rate, uplift = fc.each(rate=rates), fc.each(uplift=uplifts)
    land = evolve(start, base, rain, spacing, rate, uplift, steps)
    figures = measure(start, land, slope(land, spacing), uplift, steps)
    pictures = hillshade(land, start, base, rain, spacing)
    saved = save(pictures, out, rate, uplift)
    return {
        "land": land,
        "table": table(fc.gather(figures, labels=True)),
        "sheet": sheet(fc.gather(pictures, labels=True), out),
        "pictures": saved,
    }


class RainServer(http.server.BaseHTTPRequestHandler):
    """Answers GET /rainfall.csv, and nothing else."""

    def do_GET(self) -> None:
        """Send the table."""
        found = self.path == "/rainfall.csv"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/csv")
        self.end_headers()
        self.wfile.write(RAINFALL if found else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Stay silent."""


@contextlib.contextmanager
def rain_server() -> Iterator[str]:
    """Serve the rainfall table on a free port of the loopback interface, and give its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RainServer) as server:
        thread = threading.Thread(target=server.serve_forever, name="rain-server", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/rainfall.csv"
        finally:
            server.shutdown()
            thread.join()


def numbers(text: str) -> list[float]:
    """Read numbers separated by commas."""
    return [float(part) for part in text.split(",")]


def options() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rates", type=numbers, default=[1e-6, 2e-6, 4e-6, 8e-6], help="erodibilities, 1/year")
    parser.add_argument("--uplifts", type=numbers, default=[0.0, 0.1, 0.3], help="millimetres a year")
    parser.add_argument("--steps", type=int, default=2000, help=f"of {YEARS_A_STEP:g} years each")
    parser.add_argument("--coarsen", type=int, default=4, help="cells of the terrain to one of the model, each way")
    parser.add_argument("--store", default=".flowcore", help="where results are kept")
    parser.add_argument("--out", default="landscape-pictures", help="folder for the pictures")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes")
    return parser


def main() -> None:
    """Run the study, and say what came of it."""
    from matplotlib.cbook import get_sample_data  # noqa: PLC0415 - workers need no matplotlib

    chosen = options().parse_args()
    path = str(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))
    with rain_server() as url:
        flow = landscape(
            path, url, chosen.rates, chosen.uplifts, steps=chosen.steps, factor=chosen.coarsen, out=chosen.out
        )
        run = flow.run(workers=chosen.workers, store=chosen.store)
    print(run.summary())
    print()
    print(run["table"])
    print()
    print(f"{len(run['save'])} pictures are in {Path(chosen.out).resolve()}")
    print(f"All of them side by side: {Path(run['sheet']).resolve()}")
    print(f"What the run did, and where its time went: {Path(run.report(Path(chosen.out) / 'report.html')).resolve()}")


if __name__ == "__main__":
    main()
