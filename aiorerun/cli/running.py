"""How commands end: errors become one line and an exit code, interrupts clean up first."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from aiorerun.cli import codes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType


def guarded(name: str, run: Callable[[], int]) -> int:
    """Runs a command on files.

    Args:
        name: What it is called in messages.
        run: The command; returns the exit code.
    """
    _print_everything()
    try:
        with _terminable():
            code = run()
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except BrokenPipeError:
        # What is buffered cannot be written any more; Python would complain at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.BROKEN_PIPE
    except OSError as error:
        complain(name, _reason(error))
        return codes.FAILED
    except ValueError as error:
        from aiorerun.codec.errors import RrdError

        complain(name, "; ".join([str(error), *getattr(error, "__notes__", ())]))
        return codes.FAILED if isinstance(error, RrdError) else codes.USAGE


def _print_everything() -> None:
    """Lets characters that standard output lacks be printed as escapes instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def ascii_only() -> bool:
    """Whether JSON had better escape what is not ASCII: JSON knows escapes other than those of Python."""
    return codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"


def complain(name: str, text: object) -> None:
    """Writes a line about what a command is doing to standard error."""
    sys.stderr.write(f"aiorerun {name}: {text}\n")
    sys.stderr.flush()


def _reason(error: OSError) -> str:
    if error.filename is None:
        return error.strerror or str(error)
    return f"{os.fspath(error.filename)}: {error.strerror}"


@contextlib.contextmanager
def _terminable() -> Generator[None]:
    """Makes SIGTERM unwind the stack, so that nothing half is left."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise SystemExit(codes.TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
