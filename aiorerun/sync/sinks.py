"""The names of the module of the same name in ``rerun``: where a recording goes."""

from __future__ import annotations

from aiorerun.sinks.file import (
    FileSink,
)
from aiorerun.sync.api import (
    disconnect,
    save,
    set_sinks,
    stdout,
)
from aiorerun.sync.binary import (
    LogSinkLike,
)

__all__ = [
    "FileSink",
    "LogSinkLike",
    "disconnect",
    "save",
    "set_sinks",
    "stdout",
]
