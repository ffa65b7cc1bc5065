"""How much longer things take because somebody watches."""

from __future__ import annotations

import os
from typing import Final

SLOWNESS: Final = 3.0 if any(name.startswith("COVERAGE_PROCESS") for name in os.environ) else 1.0
"""What times are multiplied with: coverage notes every line, in the programs that tests start as well."""
