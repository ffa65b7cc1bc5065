"""What tells a flight recorder that something happened: exceptions that nobody handles, and signals.

Each hook goes in front of what was there, which it always calls. It is taken out again when the recorder is
closed; if others have put theirs in front of it meanwhile, it stays and does nothing but pass on.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiorerun import process

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType, TracebackType

logger = logging.getLogger("aiorerun")

_HARMLESS: Final = frozenset(
    getattr(signal, name)
    for name in ("SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGURG", "SIGWINCH", "SIGCONT", "SIGPIPE")
    if hasattr(signal, name)
)
"""Signals after which the program goes on if nobody else handles them."""


class Recorder(Protocol):
    """What hooks need of a flight recorder."""

    def dump_and_wait(self, reason: str, *, is_last: bool = False) -> None:
        """Makes a dump; returns when it is written, or takes too long. It does not raise."""
        ...

    def dump_on_loop(self, reason: str) -> None:
        """Starts a dump, on the event loop that runs in this thread."""
        ...

    def dump_soon(self, reason: str, then: Callable[[], None] | None) -> None:
        """Starts a dump, from a signal handler, and calls ``then`` when it is done, from any thread."""
        ...


class _Hook:
    """A hook with what it calls afterwards.

    Attributes:
        recorder: Whose it is; ``None`` when it does nothing any more.
        former: What was there before.
    """

    recorder: Recorder | None = None
    former: Any = None


def _before(hook: _Hook) -> Any:
    """What to put back in place of a hook: what was there before, hooks that do nothing any more left out."""
    former = hook.former
    while isinstance(former, _Hook) and former.recorder is None:
        former = former.former
    return former


class SysHook(_Hook):
    """``sys.excepthook``: the main thread ends by an exception."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.former = sys.excepthook
        sys.excepthook = self

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Makes a dump, unless somebody wanted the program to end."""
        recorder = self.recorder
        if recorder is not None and issubclass(kind, Exception):
            recorder.dump_and_wait(f"unhandled {kind.__name__}", is_last=True)
        self.former(kind, error, trace)

    def remove(self) -> None:
        """Takes it out."""
        self.recorder = None
        if sys.excepthook is self:
            sys.excepthook = _before(self)


class ThreadHook(_Hook):
    """``threading.excepthook``: another thread ends by an exception."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.former = threading.excepthook
        threading.excepthook = self

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        """Makes a dump."""
        recorder = self.recorder
        if recorder is not None and issubclass(args.exc_type, Exception):
            name = "a thread" if args.thread is None else f"thread {args.thread.name!r}"
            recorder.dump_and_wait(f"unhandled {args.exc_type.__name__} in {name}")
        self.former(args)

    def remove(self) -> None:
        """Takes it out."""
        self.recorder = None
        if threading.excepthook is self:
            threading.excepthook = _before(self)


class LoopHook(_Hook):
    """The exception handler of an event loop: tasks that nobody awaits, and callbacks."""

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop) -> None:
        self.recorder = recorder
        self.former = loop.get_exception_handler()
        self._loop = loop
        loop.set_exception_handler(self)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Starts a dump."""
        recorder, error = self.recorder, context.get("exception")
        if recorder is not None and isinstance(error, Exception):
            recorder.dump_on_loop(f"unhandled {type(error).__name__} in a task or callback")
        if self.former is None:
            loop.default_exception_handler(context)
        else:
            self.former(loop, context)

    def remove(self) -> None:
        """Takes it out."""
        self.recorder = None
        if self._loop.get_exception_handler() is self:
            self._loop.set_exception_handler(_before(self))


class SignalHook(_Hook):
    """The handler of a signal.

    What was there before is called at once, while the dump is written. Where that is what the system does by
    itself, and it would end the program, that happens when the dump is done, or when the signal comes again.

    Args:
        recorder: Who makes the dump.
        number: The signal.
    """

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder = recorder
        self._number = number
        self._is_ending = False
        process.in_main_thread(self._install)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Starts a dump."""
        recorder = self.recorder
        former = _before(self)
        ends = former is signal.SIG_DFL and number not in _HARMLESS
        if self._is_ending or (recorder is None and ends):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if recorder is not None:
            self._is_ending = ends
            recorder.dump_soon(signal.Signals(number).name, self._send_again if ends else None)
        if callable(former):
            former(number, frame)

    def remove(self) -> None:
        """Takes it out; until the main thread gets to that, it only passes on."""
        self.recorder = None
        process.in_main_thread(self._uninstall)

    def _install(self) -> None:
        if self.recorder is not None:
            self.former = signal.signal(self._number, self)

    def _uninstall(self) -> None:
        present: object = signal.getsignal(self._number)
        if present is self:
            signal.signal(self._number, _before(self))

    def _send_again(self) -> None:
        # Only the main thread can let the system have it.
        os.kill(os.getpid(), self._number)


def checked_signals(given: int | Iterable[int] | None) -> tuple[signal.Signals, ...]:
    """Signals that were given as one, several or none.

    Raises:
        TypeError: Something else was given, such as a name.
        ValueError: There is no such signal, or it cannot be handled.
    """
    if given is None:
        return ()
    # A text is no iterable of signals, though it can be iterated over.
    numbers = given if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else (given,)
    return tuple(dict.fromkeys(_checked_signal(number) for number in numbers))


def _checked_signal(given: Any) -> signal.Signals:
    if isinstance(given, bool) or not isinstance(given, int):
        name = given if isinstance(given, str) and hasattr(signal, given) else "SIGUSR1"
        raise TypeError(
            f"FlightRecorderSink: on_signal: {given!r} is no signal; pass signal.{name}, or several of them"
        )
    try:
        number = signal.Signals(given)
    except ValueError:
        raise ValueError(
            f"FlightRecorderSink: on_signal: there is no signal {given}; pass one such as signal.SIGUSR1"
        ) from None
    if number in (getattr(signal, "SIGKILL", None), getattr(signal, "SIGSTOP", None)):
        raise ValueError(f"FlightRecorderSink: on_signal: {number.name} cannot be handled")
    return number
