r"""
Download while computing: the roughness of a terrain from tiles
===============================================================

Data often come in pieces, from a server that takes its time. This page fetches 42 tiles of a terrain over HTTP and
computes the roughness of each. **Downloads wait on an event loop, several at once, while tiles that have come are in
the worker processes already.** A server that is out of breath is asked again. And **when all is fetched again, only
what has changed is computed again.**

The server runs in this script, on the loopback interface, so that the page needs no network. It serves the elevation
model of the Jacksboro fault (Tennessee; USGS data, part of matplotlib's sample data).
"""

import asyncio
import io
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LightSource, Normalize

import flowcore as fc

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

# %%
# A slow server
# -------------
# Each answer takes 150 ms. The first time that it is asked for a tile in the last column it says "503 Service
# Unavailable", as busy servers do.

SIDE = 57  # pixels along a tile
with np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)) as file:
    terrain = file["elevation"][: 6 * SIDE, : 7 * SIDE].astype(np.float32)
    rows_km, columns_km = (float(file["dy"]) * 111.2, float(file["dx"]) * 111.2 * np.cos(np.radians(36.6)))  # a pixel

bands = [band.copy() for band in np.split(terrain, 6)]
tiles = {(row, column): tile for row, band in enumerate(bands) for column, tile in enumerate(np.split(band, 7, axis=1))}
asked = Counter()


class SlowServer(BaseHTTPRequestHandler):
    """Answers GET /ROW/COLUMN with a tile as a .npy file."""

    def do_GET(self) -> None:
        """Send the tile, after a while."""
        row, column = (int(part) for part in self.path.split("/")[1:])
        asked[row, column] += 1
        time.sleep(0.15)
        busy = column == 6 and asked[row, column] == 1
        self.send_response(503 if busy else 200)
        self.end_headers()
        if not busy:
            np.save(body := io.BytesIO(), tiles[row, column])
            self.wfile.write(body.getvalue())

    def log_message(self, *args: object) -> None:
        """Stay silent."""


server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"

# %%
# Fetching
# --------
# A coroutine function with ``fc.io`` runs on flowcore's event loop. ``limit=6`` allows six downloads at a time;
# ``retries=3`` asks again after a failure, a little later each time.


@fc.io(limit=6, retries=3, backoff="50ms", timeout="10s")
async def fetch(address: str, row: int, column: int) -> np.ndarray:
    """Download one tile."""
    where = urlsplit(address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"GET /{row}/{column} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise ConnectionError(head.splitlines()[0].decode())
    return np.load(io.BytesIO(body))


# %%
# Computing
# ---------
# Two points at distance *r* differ in height, and the mean square of it, the structure function, grows like *r* to
# the power of 2 *H* on natural terrain. The Hurst exponent *H* is near 1 where a surface is smooth, and near 0 where
# it is rough at small scales (Turcotte 1997).


@fc.compute
def hurst(tile: np.ndarray, reach: int = 20) -> float:
    """Fit the exponent to distances of at most so many pixels."""
    rows, columns = tile.shape
    rings = {}  # squares of distances and of differences in height, by the distance in whole pixels
    for down in range(reach + 1):
        for right in range(-reach if down else 1, reach + 1):
            left, start = max(0, -right), max(0, right)
            here, there = tile[: rows - down, left : columns - start], tile[down:, start : columns - left]
            distance = round(np.hypot(down, right))
            if distance <= reach:
                rings.setdefault(distance, []).append((down**2 + right**2, np.mean((here - there) ** 2)))
    squares, differences = np.array([np.mean(ring, axis=0) for ring in rings.values()]).T
    slope, _ = np.polyfit(np.log(squares), np.log(differences), 1)
    return float(slope)


@fc.flow
def roughness():
    """Draw a download and a fit for each tile."""
    return hurst(fetch(address, fc.each(row=range(6)), fc.each(column=range(7))))


run = roughness().run(store=store, progress=False)
print(run.summary())

# %%
# Where the time went
# -------------------
# ``run.timeline()`` has every attempt of every cell: when it began, how long it took, on which lane.

timeline = run.timeline()
spent = {task: sum(span.seconds for span in timeline if span.node == task) for task in ("fetch", "hurst")}
print(f"the run took {run.seconds:.2f} s; added up, downloads took {spent['fetch']:.2f} s, fits {spent['hurst']:.2f} s")
print(Counter(f"{span.node} {span.how}" for span in timeline))

# %%
# Once more
# ---------
# What a server gives may change, so results of I/O are not kept, and everything is fetched again. (``cache="1 day"``
# would keep them for a day.) But the tiles are the same as before, and that is what counts: no fit runs.

again = roughness().run(store=store, progress=False)
print(again.summary())

# %%
# One tile is surveyed anew and differs now. Its fit runs, and no other.

tiles[2, 3] += np.random.default_rng(0).normal(scale=3.0, size=(SIDE, SIDE)).astype(np.float32)
changed = roughness().run(store=store, progress=False)
print(changed.summary())
server.shutdown()

# %%
# The pictures
# ------------
# The time of the first run: downloads above, fits below. A fit begins as soon as its tile is there.

figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
lanes = sorted(timeline.lanes, key=lambda lane: lane.kind == "worker")
colours = {"fetch": "#56b4e9", "hurst": "#d55e00", "503": "#999999"}
for place, lane in enumerate(lanes):
    for row in lane.rows:
        span = timeline.span(int(row))
        kind = span.node if span.how == "done" else "503"
        ax.barh(place, span.seconds, left=span.began, color=colours[kind], edgecolor="white", linewidth=0.4)
for kind, words in [("fetch", "download"), ("503", "download, answered by 503"), ("hurst", "fit")]:
    ax.barh(0, 0, color=colours[kind], label=words)
ax.set_yticks(range(len(lanes)), [lane.name for lane in lanes])
ax.invert_yaxis()
ax.set(xlabel="time since the start of the run (s)", title=f"42 tiles in {run.seconds:.2f} s")
_ = ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False)

# %%
# The map: the Hurst exponent of each tile, over the relief.

exponents = run["hurst"].array()
relief = LightSource(azdeg=315, altdeg=45).hillshade(terrain, vert_exag=2, dx=columns_km * 1000, dy=rows_km * 1000)
scale = ScalarMappable(Normalize(0.3, 0.8), "viridis")
colours = scale.to_rgba(np.kron(exponents, np.ones((SIDE, SIDE))))[..., :3] * (0.3 + 0.8 * relief[..., None])
figure, ax = plt.subplots(figsize=(7.6, 6.2), layout="constrained")
extent = (0, terrain.shape[1] * columns_km, 0, terrain.shape[0] * rows_km)
ax.imshow(np.clip(colours, 0, 1), extent=extent)
for (row, column), exponent in np.ndenumerate(exponents):
    x, y = (column + 0.5) * SIDE * columns_km, extent[3] - (row + 0.5) * SIDE * rows_km
    ax.text(x, y, f"{exponent:.2f}", ha="center", va="center", color="white", weight="bold")
ax.set(xlabel="eastwards (km)", ylabel="northwards (km)", title="Roughness of the terrain at the Jacksboro fault")
_ = figure.colorbar(scale, ax=ax, label="Hurst exponent $H$ (dimensionless): low is rough, high is smooth")

# %%
# Sources
# -------
# * The terrain: U.S. Geological Survey; ``jacksboro_fault_dem.npz`` in matplotlib's sample data.
# * Turcotte, D. L., *Fractals and Chaos in Geology and Geophysics*, 2nd edition, Cambridge University Press, 1997.
# * Mark, D. M., P. B. Aronson, "Scale-dependent fractal dimensions of topographic surfaces: an empirical investigation,
#   with applications in geomorphology and computer mapping", *Mathematical Geology* 16, 1984.
