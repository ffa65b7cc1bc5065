"""A program that stands in for the viewer: it writes down how it was started, and does what tests need."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, subprocess, sys, time
version, directory, listens, has_child, is_stubborn, delay, status = {settings!r}
if sys.argv[1:] == ["--version"]:
    if version == "hangs":
        time.sleep(600)
    while version == "endless":
        print("x" * 10000)
    print(version, flush=True)
    sys.exit()
if is_stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = None
if has_child:
    if is_stubborn:
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    else:
        code = "import time; time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-IS", "-c", code]).pid
told = dict(
    arguments=sys.argv[1:], environment=dict(os.environ), pid=os.getpid(), session=os.getsid(0),
    group=os.getpgid(0), child=child, stdin=os.readlink("/proc/self/fd/0"),
)
path = os.path.join(directory, "started-%d.json" % os.getpid())
with open(path + ".new", "w") as file:
    json.dump(told, file)
os.rename(path + ".new", path)
if status is not None:
    sys.exit(status)
time.sleep(delay)
if listens:
    port = int([each for each in sys.argv if each.startswith("--port=")][0].partition("=")[2])
    server = socket.create_server(("127.0.0.1", port))
time.sleep(600)
"""


def make_standin(
    path: Path,
    *,
    version: str = "rerun-cli 0.41.0 [rustc 1.0.0]",
    listens: bool = True,
    has_child: bool = False,
    is_stubborn: bool = False,
    delay: float = 0.0,
    status: int | None = None,
) -> Path:
    """Writes the program into a directory, where it also leaves what it has to tell.

    Args:
        path: The file to write.
        version: What it answers to ``--version``; ``"hangs"`` and ``"endless"`` do what they say.
        listens: Whether it listens at its port.
        has_child: Whether it starts another program, as the pip package does.
        is_stubborn: Whether it ignores the signal that asks it to end.
        delay: Seconds until it listens.
        status: It ends at once with this status.
    """
    settings = (version, str(path.parent), listens, has_child, is_stubborn, delay, status)
    path.write_text(_PROGRAM.format(python=sys.executable, settings=settings))
    path.chmod(0o755)
    return path


def starts(directory: Path) -> list[dict[str, Any]]:
    """What all programs told that were started so far."""
    return [json.loads(path.read_text()) for path in sorted(directory.glob("started-*.json"))]


def wait_for_start(directory: Path, timeout: float = 20) -> dict[str, Any]:
    """Waits until a program has told how it was started. Not for the event loop."""
    deadline = time.monotonic() + timeout
    while not (told := starts(directory)):
        assert time.monotonic() < deadline, "nothing was started"
        time.sleep(0.01)
    return told[0]


def is_alive(pid: int) -> bool:
    """Whether a program runs; dead ones that nobody has waited for do not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:
        return False


def wait_until_gone(*pids: int, timeout: float = 20) -> None:
    """Waits until none of them runs. Not for the event loop."""
    deadline = time.monotonic() + timeout
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if is_alive(pid)]}"
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kill_all(directory: Path) -> None:
    """Ends whatever was started and is left."""
    for told in starts(directory):
        for pid in (told["pid"], told["child"]):
            if pid is not None and is_alive(pid):
                os.kill(pid, 9)
