"""The names of the module of the same name in ``rerun``: times of what is logged."""

from __future__ import annotations

from aiorerun.sync.api import (
    at,
    disable_timeline,
    reset_time,
    set_log_tick_enabled,
    set_log_time_enabled,
    set_time,
)

__all__ = [
    "at",
    "disable_timeline",
    "reset_time",
    "set_log_tick_enabled",
    "set_log_time_enabled",
    "set_time",
]
