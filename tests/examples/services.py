"""Runs example services under their own servers, in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = Path(__file__).parents[2]
EXAMPLES = "examples.services"


@dataclass
class Service:
    """A server that runs.

    Attributes:
        process: Its process, the first one if there are several.
        folder: Where it writes.
        lines: What it has said so far.
    """

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        """Reads what it says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self.lines.append("(end)")
            self._changed.notify_all()

    def wait_for(self, pattern: str, times: int = 1, timeout: float = 60) -> list[re.Match[str]]:
        """Waits until it has said this so often."""

        def found() -> list[re.Match[str]]:
            return [match for line in self.lines if (match := re.search(pattern, line))]

        with self._changed:
            said = self._changed.wait_for(lambda: len(found()) >= times or "(end)" in self.lines, timeout)
            assert said, (pattern, self.lines)
            assert len(found()) >= times, (pattern, self.lines)
            return found()

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        """Ends it, as process managers do; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    @property
    def output(self) -> str:
        """All it has said."""
        return "\n".join(self.lines)


@contextmanager
def running(command: Sequence[str], folder: Path) -> Generator[Service]:
    """A server in a process of its own; whatever is left of it is ended."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    service = Service(process, folder)
    listener = threading.Thread(target=service.listen, daemon=True)
    listener.start()
    try:
        yield service
    finally:
        if process.poll() is None or "(end)" not in service.lines:
            # The whole group: workers of a server that hangs, too.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        listener.join(10)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def uvicorn(app: str, folder: Path, *options: str) -> Generator[tuple[Service, str]]:
    """An example under uvicorn, on a free port, and its URL."""
    command = ["-m", "uvicorn", f"{EXAMPLES}.{app}", "--port", "0", "--no-access-log", *options]
    with running(command, folder) as service:
        (match, *_) = service.wait_for(r"running on (http://127\.0\.0\.1:\d+)")
        yield service, match[1]
