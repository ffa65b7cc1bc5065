"""Strict mode, exceptions and warnings.

Wrong use raises in strict mode. Otherwise it gives one :class:`RerunWarning` that points at the
caller's line, and the call is dropped.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class RerunWarning(Warning):
    """Something was used wrongly and the call was dropped; strict mode raises instead."""


class FlushTimeoutError(TimeoutError, RuntimeError):
    """Not everything reached the sinks within the time given to ``flush``."""


class SinkOpenError(OSError, RuntimeError):
    """A sink could not be opened: missing directory, no permission, disk full."""


class InvalidUrlError(ValueError, RuntimeError):
    """A URL that names no Rerun message proxy."""


class BadMemoryLimitError(ValueError, RuntimeError):
    """A text that is no memory limit."""


class ImportPathError(FileNotFoundError, RuntimeError):
    """There is no file or directory to import."""


class NoImporterError(RuntimeError):
    """No importer takes the file."""


class StreamClosedError(RuntimeError):
    """The recording stream was closed; nothing can be logged to it any more."""


class QueueFullError(RuntimeError):
    """The row was refused because the pipeline is over its byte limit."""


def read_switch(name: str) -> bool | None:
    """Reads an on/off environment variable; an unknown value warns and counts as unset."""
    value = os.environ.get(name)
    if value is None:
        return None
    folded = value.strip().lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    warnings.warn(
        f"{name}={value!r} is not understood and ignored: use 1, true, yes, on, 0, false, no or off",
        RerunWarning,
        stacklevel=caller_stacklevel(),
    )
    return None


def is_own_file(path: str) -> bool:
    """Whether code of this file is of the package, not of the user."""
    return path.startswith(_PACKAGE)


def caller_stacklevel() -> int:
    """The ``stacklevel`` for a warning issued by our caller that points at the user's own line."""
    level = 1
    frame = sys._getframe(1)
    while is_own_file(frame.f_code.co_filename):
        following = frame.f_back
        if following is None:
            break
        frame = following
        level += 1
    return level


class _Mode:
    """The process-wide strict flag, read from the environment at first use."""

    strict: bool | None = None


_override: ContextVar[bool | None] = ContextVar("aiorerun_strict", default=None)
_observers: list[Callable[[str, Any], None]] = []
_reporting: ContextVar[bool] = ContextVar("aiorerun_reporting", default=False)


def strict_mode() -> bool:
    """Whether wrong use raises here and now (``strict=`` of the running call, else the global mode)."""
    override = _override.get()
    if override is not None:
        return override
    if _Mode.strict is None:
        _Mode.strict = bool(read_switch("RERUN_STRICT"))
    return _Mode.strict


def set_strict_mode(mode: bool) -> None:
    """Sets the global mode: ``True`` makes wrong use raise, ``False`` makes it warn."""
    _Mode.strict = bool(mode)


class strict_scope:
    """Applies a ``strict=`` argument to what runs inside; ``None`` changes nothing."""

    __slots__ = ("_before", "_strict")

    def __init__(self, strict: bool | None) -> None:
        self._strict = strict

    def __enter__(self) -> None:
        self._before = _override.get()
        if self._strict is not None:
            _override.set(self._strict)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._strict is not None:
            _override.set(self._before)


def observe_warnings(observer: Callable[[str, Any], None]) -> None:
    """Registers a function that gets every reported misuse (used to log it).

    Its arguments are the text, and the recording that was used wrongly, ``None`` if that is not known.
    """
    _observers.append(observer)


def report(context: str, error: Exception, *, strict: bool | None = None, recording: Any = None) -> None:
    """Raises ``error`` in strict mode, otherwise warns once about it, pointing at the user's line.

    Call it from an ``except`` block, or with an error of your own; ``context`` names the function or
    class that was called, e.g. ``"log"`` or ``"Points3D"``, ``recording`` the one it was for.
    """
    if strict is None:
        strict = strict_mode()
    if strict:
        raise error
    if _reporting.get():
        return
    token = _reporting.set(True)
    try:
        message = f"{context}: {type(error).__name__}({error})"
        warnings.warn(message, RerunWarning, stacklevel=caller_stacklevel())
        for observer in _observers:
            observer(message, recording)
    finally:
        _reporting.reset(token)
