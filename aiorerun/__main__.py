"""The command line as ``python -m aiorerun``."""

from __future__ import annotations

import sys
from functools import partial

from aiorerun.cli.main import main as _main

main = partial(_main, prog="python -m aiorerun")

if __name__ == "__main__":
    sys.exit(main())
