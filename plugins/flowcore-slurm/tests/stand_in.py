"""Stand-ins for sbatch, squeue and scancel: a script of three names, which starts real processes.

What is known of jobs lies in the folder STAND_IN: ``<job>_<i>`` says the name and the process
of each pilot, ``calls`` has a byte for each command. A file ``unwell`` there has every command
fail; ``full``, every sbatch; what a file ``most`` says is Slurm's MaxArraySize.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ.get("STAND_IN", "/nowhere"))
COMMANDS = ("sbatch", "squeue", "scancel")


def install(folder: Path) -> dict[str, str]:
    """Put the commands into a folder; give the variables under which they are found."""
    (folder / "bin").mkdir()
    (folder / "jobs").mkdir()
    for name in COMMANDS:
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {__file__} {name} "$@"\n')
        command.chmod(0o700)
    return {"PATH": f"{folder}/bin:{os.environ['PATH']}", "STAND_IN": str(folder / "jobs")}


def sbatch(options: dict[str, str]) -> None:
    """Start a process for each pilot of an array."""
    if (FOLDER / "full").exists():
        sys.exit("sbatch: error: Batch job submission failed: Invalid account")
    most = FOLDER / "most"
    if most.exists() and int(options["array"].rpartition("-")[2]) >= int(most.read_text()):
        sys.exit("sbatch: error: Batch job submission failed: Invalid job array specification")
    text = sys.stdin.read()
    job = str(1 + max((int(path.name.partition("_")[0]) for path in FOLDER.glob("[0-9]*_*")), default=0))
    for i in range(int(options["array"].rpartition("-")[2]) + 1):
        label = f"{job}_{i}"
        script = FOLDER / f"script-{label}"
        script.write_text(text)
        script.chmod(0o700)
        with open(options["output"].replace("%A_%a", label), "ab") as log:
            environ = {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": str(i), "SLURM_JOB_ID": label}
            pilot = subprocess.Popen(
                ["/bin/sh", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **environ}, cwd=options["chdir"],
            )  # fmt: skip
        (FOLDER / label).write_text(f"{options['job-name']} {pilot.pid}")
    print(job)


def squeue(options: dict[str, str]) -> None:
    """List what runs, or say that nobody knows when a job ends."""
    if "jobs" in options:
        print("N/A")
        return
    for path in sorted(FOLDER.glob("[0-9]*_*")):
        name, process = path.read_text().split()
        if name == options.get("name", name) and lives(int(process)):
            print(path.name, "RUNNING")


def scancel(options: dict[str, str], labels: list[str]) -> None:
    """Signal pilots, or end them as Slurm does: politely, then for good."""
    if "state" in options:
        return  # none waits
    for label in labels:
        process = int((FOLDER / label).read_text().split()[1])
        with contextlib.suppress(ProcessLookupError):
            if "signal" in options:
                os.kill(process, signal.Signals[f"SIG{options['signal']}"])
                continue
            os.killpg(process, signal.SIGTERM)
            for _ in range(20):
                time.sleep(0.01 * lives(process))
            os.killpg(process, signal.SIGKILL)


def lives(process: int) -> bool:
    """Tell whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end_all(folder: Path) -> None:
    """End every process that was started."""
    for path in folder.glob("[0-9]*_*"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(path.read_text().split()[1]), signal.SIGKILL)


if __name__ == "__main__":
    with open(FOLDER / "calls", "ab", buffering=0) as calls:
        calls.write(b".")
    if (FOLDER / "unwell").exists():
        sys.exit(f"{sys.argv[1]}: error: Unable to contact slurm controller (connect failure)")
    given = {word[2:].partition("=")[0]: word.partition("=")[2] for word in sys.argv[2:] if word.startswith("--")}
    match sys.argv[1]:
        case "sbatch":
            sbatch(given)
        case "squeue":
            squeue(given)
        case "scancel":
            scancel(given, [word for word in sys.argv[2:] if not word.startswith("--")])
