"""Telling a user of trouble that costs no result: warnings that never end a run.

With `-W error` a warning is raised where it is issued. On the engine's thread that would
end a run which has lost nothing (contract P8), so what is raised is shown after all.
"""

from __future__ import annotations

import warnings

from flowcore.errors import FlowcoreWarning


def notice(warning: FlowcoreWarning, site: str = "") -> None:
    """Issue a warning, as if from ``file:line`` if `site` names one."""
    file, _, line = site.rpartition(":")
    if not line.isdecimal():
        file, line = "flowcore", "1"
    try:
        warnings.warn_explicit(warning, category=type(warning), filename=file, lineno=int(line))
    except FlowcoreWarning as raised:
        warnings.showwarning(raised, type(raised), file, int(line))
