"""``python -m flowcore`` is ``flowcore``: nothing is imported from the working directory (contract S8)."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        sys.path[0] = os.path.dirname(sys.executable)  # as for the command; Python put the working directory there

from flowcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
