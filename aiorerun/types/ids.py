"""The process-wide source of row, chunk and message ids."""

from __future__ import annotations

from typing import Final

from aiorerun.types.tuid import TuidSource

ids: Final = TuidSource()
"""All ids of a process come from here, so that they are unique and ordered across streams."""
