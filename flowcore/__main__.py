"""``python -m flowcore`` is ``flowcore``."""

from __future__ import annotations

import sys

from flowcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
