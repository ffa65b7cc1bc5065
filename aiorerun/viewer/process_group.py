"""Starting and ending a program together with all that it starts.

The viewer of the pip package is a Python program that runs the real one as its child: ending it alone would
leave the viewer running.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Any, Final

_POLL_SECS: Final = 0.02


def own_group(*, session: bool = False) -> dict[str, Any]:
    """Arguments for :class:`subprocess.Popen`: the program leads a process group of its own.

    Args:
        session: Whether it also gets a session of its own, and no signal of our terminal reaches it.
    """
    if os.name == "posix":
        return {"start_new_session": True} if session else {"process_group": 0}
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    if session:
        flags |= getattr(subprocess, "DETACHED_PROCESS", 0)
    return {"creationflags": flags}


def signal_group(leader: int, number: int) -> None:
    """Sends a signal to a whole group; one that is gone is no error.

    Only call it for a leader that nobody has waited for: its number could belong to another program by then.
    """
    if os.name == "posix":
        # macOS answers EPERM for a group in which only zombies are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603 - a program of the system
            ["taskkill", "/PID", str(leader), "/T", "/F"],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=5,
        )


def end_group(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Ends a group: asks it to, and after ``timeout`` seconds forces it to.

    It blocks, so it is not for the event loop.

    Args:
        process: Its leader, started with :func:`own_group`; it has been waited for afterwards.
        timeout: Seconds that the programs have to end on their own, and then again to be gone.

    Returns:
        Whether all of them are gone.
    """
    leader = process.pid
    if process.returncode is not None:
        return True
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        signal_group(leader, number)
        if _wait_for_group(process, time.monotonic() + timeout):
            return True
    return False


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a leader has ended.

    Where the system lets us, it is not waited for, so that its number stays taken.
    """
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        # A fork, or somebody else waited for it.
        return True


def _wait_for_group(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Waits until nobody of the group is alive, and only then for the leader, whose number stays taken."""
    while _is_alive(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECS)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()) + _POLL_SECS)
    return process.returncode is not None


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether any program of the group still runs; dead ones that nobody has waited for do not count."""
    if os.path.exists("/proc/self/stat"):
        return any(_runs_in_group(entry, process.pid) for entry in os.listdir("/proc") if entry.isdigit())
    if os.name != "posix":
        return process.poll() is None
    # Elsewhere a dead leader looks alive until it is waited for.
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _runs_in_group(entry: str, group: int) -> bool:
    try:
        with open(f"/proc/{entry}/stat", "rb") as file:
            # After the name, which may hold anything: state, parent, group.
            state, _, number = file.read().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(number) == group and state not in b"ZX"
