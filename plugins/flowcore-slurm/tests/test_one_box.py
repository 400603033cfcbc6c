"""Claims about one_box.py: a Slurm that runs jobs, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import one_box
from one_box import until


def test_it_runs_a_job(slurm: Mapping[str, str], tmp_path: Path) -> None:
    """A job that was submitted runs as one of Slurm's."""
    script = f"#!/bin/sh\necho $SLURM_JOB_NAME > {tmp_path}/draft && mv {tmp_path}/draft {tmp_path}/ran\n"
    command = ["sbatch", "--job-name=greeting", "--output=/dev/null"]
    subprocess.run(command, input=script, env=slurm, text=True, check=True)
    until((tmp_path / "ran").exists)

    assert "greeting\n" == (tmp_path / "ran").read_text()


def test_a_killed_test_leaves_no_daemon(slurm: Mapping[str, str], tmp_path: Path) -> None:
    """When who started it is killed, daemons end, and their jobs with them."""
    del slurm  # only says whether there is one
    program = f"""
        import os, pathlib, signal, subprocess, sys
        sys.path.insert(0, {str(Path(one_box.__file__).parent)!r})
        import one_box
        with one_box.running(pathlib.Path({str(tmp_path)!r})) as environ:
            script = "#!/bin/sh\\necho $$ > {tmp_path}/draft; mv {tmp_path}/draft {tmp_path}/job; exec sleep 1000\\n"
            subprocess.run(["sbatch", "--output=/dev/null"], input=script, env=environ, text=True, check=True)
            sys.stdin.read()
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE)
    until((tmp_path / "job").exists)
    job = int((tmp_path / "job").read_text())
    daemons = [int((tmp_path / f"{name}.pid").read_text()) for name in ("munge", "slurmctld", "slurmd")]
    process.kill()
    process.communicate()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (job, *daemons)))
