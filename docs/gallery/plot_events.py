r"""
Grids that share steps: when does a seismic network see an event?
=================================================================

A detector for earthquakes compares the average of a seismogram over a short window with that over a long one (STA/LTA,
Allen 1978). It triggers where the ratio passes a threshold. Window and threshold are choices, so this page **tries a
grid of them on the records of four stations**, and counts the events that at least three stations see at once.

Not every step needs every parameter. The records are filtered once for each station, the ratio is made once for each
station and window, and only triggering is done for each station, window and threshold. **flowcore finds that from the
axes: they meet by name, and a step has those of its inputs.**

The records are four minutes of a network near Unterhaching (Germany) on 27 May 2010. They are part of ObsPy, and an
example in its tutorial.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import obspy
from obspy.signal.trigger import recursive_sta_lta, trigger_onset

import flowcore as fc

RECORDS = Path(obspy.__file__).parent / "signal" / "tests" / "data"
STATIONS = {"UH1": "SHZ", "UH2": "SHZ", "UH3": "SHZ", "UH4": "EHZ"}  # and their vertical channels
LONG = 10.0  # seconds, the long window
BAND = (10.0, 20.0)  # hertz

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

# %%
# The steps
# ---------
# Reading is I/O and runs on threads, the rest runs in worker processes. Every task gives and takes plain values.


@fc.io
def read(station: str) -> tuple[np.ndarray, float]:
    """Read a record: counts of the digitizer, from 16:24:03.7 UTC on, and how many there are in a second."""
    trace = obspy.read(RECORDS / f"BW.{station}._.{STATIONS[station]}.D.2010.147.cut.slist.gz")[0]
    return trace.data.astype(np.float64), float(trace.stats.sampling_rate)


@fc.compute
def bandpass(record: np.ndarray, rate: float) -> np.ndarray:
    """Keep the frequencies of local earthquakes."""
    trace = obspy.Trace(record, header={"sampling_rate": rate})
    trace.filter("bandpass", freqmin=BAND[0], freqmax=BAND[1])
    return trace.data


@fc.compute
def ratio(record: np.ndarray, rate: float, window: float) -> np.ndarray:
    """Compare the power in a short window of so many seconds with that in the long one."""
    return recursive_sta_lta(record, int(window * rate), int(LONG * rate))


@fc.compute
def triggers(ratios: np.ndarray, rate: float, threshold: float) -> np.ndarray:
    """Give beginnings and ends of triggers, in seconds; shape (triggers, 2). A trigger ends where the ratio is 1."""
    found = np.array(trigger_onset(ratios, threshold, 1.0), dtype=np.float64).reshape(-1, 2)
    return found / rate


@fc.compute
def coincide(network: list[np.ndarray], least: int = 3) -> np.ndarray:
    """Give the seconds of the first trigger of each event that at least so many stations see at once."""
    edges = [(begin, 1) for one in network for begin, _ in one] + [(end, -1) for one in network for _, end in one]
    events, seeing, first, counted = [], 0, 0.0, False
    for second, change in sorted(edges):
        if seeing == 0:
            first, counted = second, False
        seeing += change
        if seeing >= least and not counted:
            events.append(first)
            counted = True
    return np.array(events)


# %%
# The flow
# --------
# ``gather(..., over="station")`` collects one axis and leaves the others: ``coincide`` is called for each window and
# threshold, with a list over the stations.


@fc.flow
def network(windows: list[float], thresholds: list[float]):
    """Draw the study."""
    record, rate = read(fc.each(station=list(STATIONS)))
    ratios = ratio(bandpass(record, rate), rate, fc.each(window=windows))
    found = triggers(ratios, rate, fc.each(threshold=thresholds))
    return {"events": coincide(fc.gather(found, over="station")), "rate": rate}


WINDOWS = [0.1, 0.2, 0.5, 1.0, 2.0]  # seconds
THRESHOLDS = [2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0]
flow = network(WINDOWS, THRESHOLDS)
flow

# %%
# First run
# ---------
# See how many cells each step has: 4 records, 4 filters, 20 ratios, 180 lists of triggers, 45 networks.

run = flow.run(store=store, progress=False)
print(run.summary())

# %%
# One more threshold
# ------------------
# A second run, with a threshold added, filters nothing and makes no ratio. It looks for the new triggers, and
# for those events that depend on them.

THRESHOLDS.append(12.0)
flow = network(WINDOWS, THRESHOLDS)
run = flow.run(store=store, progress=False)
print(run.summary())

# %%
# What is found
# -------------
# A ``Grid`` is asked by labels. ObsPy's tutorial finds three events with a window of 0.5 s and a threshold of 3.5.

events = run["coincide"]
chosen = {"window": 0.5, "threshold": 3.5}
print("events begin after", events[chosen].round(2), "s")

# %%
# Left, the filtered records, as signed square roots so that weak ones are seen; where a station triggers is orange, and
# a line is where an event begins for the network. Right, the number of events by window and threshold.

figure, (left, right) = plt.subplots(1, 2, figsize=(13.5, 5.2), layout="constrained", width_ratios=[1.1, 1])
rates = run[flow.result["rate"]]
for row, station in enumerate(STATIONS):
    record = run["bandpass"][station]
    roots = np.sign(record) * np.sqrt(abs(record) / abs(record).max())
    left.plot(np.arange(len(record)) / rates[station], row + 0.45 * roots, linewidth=0.4, color="#0072b2")
    for begin, end in run["triggers"][chosen | {"station": station}]:
        left.axvspan(begin, end, row / 4 + 0.01, row / 4 + 0.24, color="#e69f00", alpha=0.5, linewidth=0)
for begin in events[chosen]:
    left.axvline(begin, color="black", linestyle="--", linewidth=1)
left.set_yticks(range(4), STATIONS)
left.set(xlim=(0, 230), ylim=(-0.5, 3.5))
left.set(xlabel="time after 16:24:03.7 UTC (s)", ylabel="station (root of velocity, scaled)")
left.set_title(f"10-20 Hz; window {chosen['window']} s, threshold {chosen['threshold']}: {len(events[chosen])} events")
numbers = np.array([[len(events[window, threshold]) for threshold in THRESHOLDS] for window in WINDOWS])
picture = right.imshow(numbers, cmap="viridis", origin="lower", aspect="auto", vmin=0)
for (row, column), number in np.ndenumerate(numbers):
    shade = "white" if number < 0.6 * numbers.max() else "black"
    right.text(column, row, str(number), ha="center", va="center", color=shade)
here = (THRESHOLDS.index(chosen["threshold"]) - 0.5, WINDOWS.index(chosen["window"]) - 0.5)
right.add_patch(plt.Rectangle(here, 1, 1, fill=False, edgecolor="#e69f00", linewidth=3))
right.set_xticks(range(len(THRESHOLDS)), [f"{threshold:g}" for threshold in THRESHOLDS])
right.set_yticks(range(len(WINDOWS)), WINDOWS)
right.set(xlabel="threshold of the ratio STA/LTA", ylabel="short window (s)")
right.set_title("events that three stations see at once")
_ = figure.colorbar(picture, ax=right, label="number of events")

# %%
# Sources
# -------
# * The records: BayernNetz (network BW), stations UH1 to UH4; files of ``obspy.signal``, shown in the trigger tutorial
#   of ObsPy.
# * Beyreuther, M., R. Barsch, L. Krischer, T. Megies, Y. Behr, J. Wassermann, "ObsPy: a Python toolbox for seismology",
#   *Seismological Research Letters* 81, 2010.
# * Allen, R. V., "Automatic earthquake recognition and timing from single traces", *Bulletin of the Seismological
#   Society of America* 68, 1978.
# * Withers, M., et al., "A comparison of select trigger algorithms for automated global seismic phase and event
#   detection", *Bulletin of the Seismological Society of America* 88, 1998 (the recursive form).
