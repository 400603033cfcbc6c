r"""
Files and blocks: three ways of a protein from closed to open
=============================================================

Adenylate kinase closes around its substrate and opens again. Three simulations of the opening come with the test data
of MDAnalysis: two by dynamic importance sampling (DIMS; Beckstein et al. 2009, Seyler et al. 2015), one by targeted
molecular dynamics (TMD). Do they take the same way? To see it, every frame is compared with every other: the RMSD of
their C-alpha atoms after optimal superposition.

The matrix of all pairs is computed **in blocks, a cell for each pair of trajectories**. The trajectories are given as
``fc.File``: **the content of a file is its identity**, wherever it lies. So when a third trajectory comes, the blocks
of the first two are there already.
"""

import shutil
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from MDAnalysisTests.datafiles import DCD, DCD2, DCD_NAMD_GBIS, PSF, PSF_NAMD_GBIS

import flowcore as fc

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

TRAJECTORIES = {  # topology and trajectory
    "DIMS 1": (fc.File(PSF), fc.File(DCD)),
    "DIMS 2": (fc.File(PSF), fc.File(DCD2)),
    "TMD": (fc.File(PSF_NAMD_GBIS), fc.File(DCD_NAMD_GBIS)),
}

# %%
# Reading
# -------
# Results of I/O are not kept, since the world may change; but what is read from an ``fc.File`` cannot, so here
# ``cache=True``. The name is there to label the cell, and is ignored when its result is looked for. Positions are
# relative to the centre of the atoms, in ångström.


@fc.io(cache=True, ignore=("name",))
def read(name: str, files: tuple[fc.File, fc.File]) -> np.ndarray:
    """Read the C-alpha atoms of all frames; shape (frames, atoms, 3)."""
    import MDAnalysis  # where it is needed: it takes a second to load

    with warnings.catch_warnings(action="ignore"):
        universe = MDAnalysis.Universe(*(str(file.path) for file in files))
        atoms = universe.select_atoms("name CA")
        frames = np.array([atoms.positions for _ in universe.trajectory], dtype=np.float64)
    return frames - frames.mean(axis=1, keepdims=True)


# %%
# One block of the matrix
# -----------------------
# The least RMSD over all rotations needs no rotation: the singular values of the covariance of two frames are enough
# (Kabsch 1976).


@fc.compute
def rmsd(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compare every frame of one trajectory with every one of another; shape (frames, other frames), in ångström."""
    covariance = np.einsum("iak,jal->ijkl", ones, others, optimize=True)
    scales = np.linalg.svd(covariance, compute_uv=False)
    scales[..., 2] *= np.sign(np.linalg.det(covariance))  # a mirror image is no rotation
    squares = (ones**2).sum(axis=(1, 2))[:, None] + (others**2).sum(axis=(1, 2)) - 2 * scales.sum(axis=-1)
    return np.sqrt(np.maximum(squares, 0.0) / ones.shape[1])


# %%
# Two angles tell how far the protein's two flaps, NMP and LID, are open (Beckstein et al. 2009). The radius of gyration
# tells how large it is.

DOMAINS = {"NMP": [(115, 125), (90, 100), (35, 55)], "LID": [(179, 185), (115, 125), (125, 153)]}  # first, last residue


@fc.compute
def shape(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Give the angles in degrees, and the radius of gyration in ångström, of each frame."""
    found = {"radius": np.sqrt((frames**2).sum(axis=2).mean(axis=1))}
    for name, parts in DOMAINS.items():
        end, hinge, tip = (frames[:, first - 1 : last].mean(axis=1) for first, last in parts)
        cosine = ((end - hinge) * (tip - hinge)).sum(axis=1)
        cosine /= np.linalg.norm(end - hinge, axis=1) * np.linalg.norm(tip - hinge, axis=1)
        found[name] = np.degrees(np.arccos(cosine))
    return found


# %%
# The flow
# --------
# What is iterated on one axis goes together, and the first gives the labels: a name, and a pair of files. ``a``
# and ``b`` are different axes, so they multiply.


@fc.flow
def compare(names: list[str]):
    """Draw a block for each pair of trajectories."""
    files = [TRAJECTORIES[name] for name in names]
    frames, others = read(fc.each(a=names), fc.each(a=files)), read(fc.each(b=names), fc.each(b=files))
    return {"rmsd": rmsd(frames, others), "shape": shape(frames)}


run = compare(["DIMS 1", "DIMS 2"]).run(store=store, progress=False)
print(run.summary())

# %%
# A third trajectory
# ------------------
# Two trajectories made 4 blocks, three make 9. The four are answered from the store; no file of theirs is parsed again.

run = compare(list(TRAJECTORIES)).run(store=store, progress=False)
print(run.summary())

# %%
# A copy of the files
# -------------------
# Files that are moved or copied elsewhere are the same files. All is there, and nothing runs.

copies = Path(folder.name) / "elsewhere"
copies.mkdir()
for name, files in TRAJECTORIES.items():
    TRAJECTORIES[name] = tuple(fc.File(shutil.copy(file, copies)) for file in files)
again = compare(list(TRAJECTORIES)).run(store=store, progress=False)
print(again.summary())

# %%
# The picture
# -----------
# Left, all pairs of frames: dark where two structures are alike. Along the diagonal a trajectory is compared with
# itself. Right, the way of each in the plane of the two angles, from the closed to the open structure.

names = list(TRAJECTORIES)
blocks = run["rmsd"]
matrix = np.block([[blocks[a, b] for b in names] for a in names])
shapes = run["shape"]
lengths = [len(shapes[name]["radius"]) for name in names]
figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 5.4), layout="constrained")
shown = left.imshow(matrix, cmap="magma", origin="lower")
figure.colorbar(shown, ax=left, label="RMSD of C-alpha atoms (Å)")
ends = np.cumsum(lengths)
for end in ends[:-1]:
    left.axhline(end - 0.5, color="white", linewidth=1)
    left.axvline(end - 0.5, color="white", linewidth=1)
left.set_xticks(ends - np.array(lengths) / 2, names)
left.set_yticks(ends - np.array(lengths) / 2, names, rotation=90, va="center")
left.set(xlabel="frame of one trajectory", ylabel="frame of another", title="all pairs of frames")
for name, colour, mark in zip(names, ["#0072b2", "#e69f00", "#009e73"], "os^", strict=True):
    one = shapes[name]
    right.plot(one["NMP"], one["LID"], color=colour, linewidth=0.8, alpha=0.7)
    right.scatter(one["NMP"], one["LID"], color=colour, marker=mark, s=12, label=name)
for name, frame, where in [("closed", 0, (12, -16)), ("open", -1, (-4, 14))]:
    one = shapes["DIMS 1"]
    words = f"{name}: radius of gyration {one['radius'][frame]:.1f} Å"
    side = "left" if frame == 0 else "right"
    place = (one["NMP"][frame], one["LID"][frame])
    right.annotate(words, place, xytext=where, textcoords="offset points", ha=side)
right.set(xlabel="NMP angle (degrees)", ylabel="LID angle (degrees)", ylim=(102, 150))
right.set_title("the ways from closed to open")
_ = right.legend(frameon=False, loc="center right")

# %%
# Sources
# -------
# * Beckstein, O., E. J. Denning, J. R. Perilla, T. B. Woolf, "Zipping and unzipping of adenylate kinase: atomistic
#   insights into the ensemble of open/closed transitions", *Journal of Molecular Biology* 394, 2009.
# * Seyler, S. L., A. Kumar, M. F. Thorpe, O. Beckstein, "Path similarity analysis: a method for quantifying
#   macromolecular pathways", *PLoS Computational Biology* 11, 2015.
# * Kabsch, W., "A solution for the best rotation to relate two sets of vectors", *Acta Crystallographica A* 32, 1976.
# * Gowers, R. J., et al., "MDAnalysis: a Python package for the rapid analysis of molecular dynamics simulations",
#   *Proceedings of the 15th Python in Science Conference*, 2016.
