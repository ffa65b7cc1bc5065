"""The names of the module of the same name in ``rerun``: strict mode and warnings."""

from __future__ import annotations

from aiorerun.errors import (
    RerunWarning,
    set_strict_mode,
    strict_mode,
)

__all__ = [
    "RerunWarning",
    "set_strict_mode",
    "strict_mode",
]
