"""Finds the program of the official viewer and asks it for its version."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import threading
import time
from typing import Final

from aiorerun.codec.framing import RERUN_VERSION
from aiorerun.viewer.errors import ViewerNotFoundError
from aiorerun.viewer.process_group import own_group, signal_group

DEFAULT_NAME: Final = "rerun"
"""What the program is called."""

VERSION_TIMEOUT: Final = 5.0
"""Seconds that the program may take to say its version. The pip package starts Python first."""

_MAX_ANSWER: Final = 64 * 1024
_POLL_SECS: Final = 0.01
_VERSION: Final = re.compile(rb"(?<![\d.])(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?![\d.])")
_FORMATS: Final = ".".join(map(str, RERUN_VERSION))
_INSTALL: Final = (
    f"Install the viewer with `pip install rerun-sdk=={_FORMATS}` or "
    f"`cargo binstall rerun-cli@{_FORMATS}`, or take it from https://github.com/rerun-io/rerun/releases."
)

logger = logging.getLogger("aiorerun")

_told: set[tuple[str, tuple[int, int, int]]] = set()


def find_executable(name: str = DEFAULT_NAME, path: str | os.PathLike[str] | None = None) -> str:
    """The file of the viewer. It reads directories, so it is not for the event loop.

    Args:
        name: What to look for on the ``PATH``, and then beside the running Python, where ``pip`` puts
            programs, whether the environment is activated or not.
        path: The file itself; ``name`` does not matter then.

    Returns:
        A path that can be started.

    Raises:
        ViewerNotFoundError: There is none; the text says how to install it.
    """
    if path is not None:
        wanted = os.fspath(path)
        if os.path.isfile(wanted):
            return wanted
        raise ViewerNotFoundError(
            f"there is no viewer at {wanted!r}, which executable_path names. {_INSTALL}"
        )
    found = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise ViewerNotFoundError(
            f"there is no program {name!r} on the PATH. {_INSTALL} Or pass executable_path. "
            f"PATH is {os.environ.get('PATH', '')!r}"
        )
    return found


def parse_version(answer: bytes) -> tuple[int, int, int] | None:
    """The first version like ``0.41.0`` in what a program printed; ``None`` if there is none."""
    match = _VERSION.search(answer)
    if match is None:
        return None
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def is_compatible(version: tuple[int, int, int], ours: tuple[int, int, int] = RERUN_VERSION) -> bool:
    """Whether a viewer of that version suits the data that is written here: only the patch may differ."""
    return version[:2] == ours[:2]


async def ask_version(executable: str, timeout: float = VERSION_TIMEOUT) -> tuple[int, int, int] | None:
    """What version the program says it has.

    Cancelling it ends the program that was asked.

    Args:
        executable: The viewer's file.
        timeout: Seconds to wait for the answer.

    Returns:
        ``None`` if it could not be started, says no version, or takes too long.
    """
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(_ask_version, executable, timeout, given_up)
    finally:
        given_up.set()


def _ask_version(executable: str, timeout: float, given_up: threading.Event) -> tuple[int, int, int] | None:
    try:
        process = subprocess.Popen(  # noqa: S603 - whoever names the program may run it
            [executable, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"RERUN_APP_ONLY": "true"},
            **own_group(),
        )
    except OSError:
        return None
    assert process.stdout is not None
    try:
        return _read_version(process.stdout.fileno(), time.monotonic() + timeout, given_up)
    finally:
        # The pip package's program has started another one.
        signal_group(process.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
        process.stdout.close()


def _read_version(pipe: int, deadline: float, given_up: threading.Event) -> tuple[int, int, int] | None:
    """Reads until there is a version, so a program that prints without end, or never ends, does no harm."""
    if hasattr(os, "set_blocking"):
        os.set_blocking(pipe, False)
    answer = b""
    while len(answer) < _MAX_ANSWER and time.monotonic() < deadline and not given_up.is_set():
        try:
            part = os.read(pipe, _MAX_ANSWER)
        except BlockingIOError:
            given_up.wait(_POLL_SECS)
            continue
        answer += part
        version = parse_version(answer)
        if version is not None or not part:
            return version
    return None


def warn_of_version(executable: str, version: tuple[int, int, int] | None) -> None:
    """Logs a warning, once for each program, if the viewer is of another version.

    An unknown version (``None``) counts as the right one.
    """
    if version is None or is_compatible(version) or (executable, version) in _told:
        return
    _told.add((executable, version))
    logger.warning(
        "the viewer %r has version %s, but the data written here is that of %s: it may look wrong, or not be "
        "shown at all. %s",
        executable,
        ".".join(map(str, version)),
        _FORMATS,
        _INSTALL,
    )
