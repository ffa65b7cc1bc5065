"""Misuse that is not raised is recorded too: as a line of text log that names the place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from aiorerun.errors import is_own_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

WARNINGS_PATH: Final = "__warnings"
_MAX_FRAMES: Final = 64


def record_warning(message: str, recordings: Iterable[Any]) -> None:
    """Logs a ``TextLog`` of level ``WARN``: the message and the stack of the user's code below it."""
    from aiorerun.archetypes import TextLog

    row = TextLog("\n".join((message, *_user_stack())), level="WARN")
    for recording in recordings:
        recording.log_nowait(WARNINGS_PATH, row, strict=False)


def _user_stack() -> list[str]:
    """The calls that led here, the innermost first, from the first one that is not of the package."""
    lines: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(lines) < _MAX_FRAMES:
        code = frame.f_code
        if lines or not is_own_file(code.co_filename):
            lines.append(f'File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}')
        frame = frame.f_back
    return lines
