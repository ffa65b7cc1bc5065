"""Runs a program that prints an RRD stream, and takes its messages as they come."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import IO, TYPE_CHECKING, Final, TypeVar

from aiorerun.importers.base import ImportedMessages
from aiorerun.viewer.process_group import end_group, has_ended, own_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping

    from aiorerun.importers.rrd import MessageTaker

T = TypeVar("T")

TIMEOUT_VARIABLE: Final = "AIORERUN_IMPORTER_TIMEOUT_SECS"
"""The environment variable that limits how long a program is waited for. Without it there is no limit."""

TERMINATION_SECS: Final = 2.0
"""How long a program has to end on its own when it is not wanted any more."""

MAX_STDERR_BYTES: Final = 32 << 10
"""Of what a program prints to standard error only so much is kept, the end of it."""

_PIECE_BYTES: Final = 1 << 18
_POLL_SECS: Final = 0.02


class Run:
    """A run of a program.

    Args:
        command: The program and its arguments.
        taker: Takes what it prints.
        environment: Variables to set beside those of this process.

    Attributes:
        has_given: Whether there was any data.
        code: The exit code, when it has ended.
        said: The end of what it has printed to standard error, when it has ended.
    """

    def __init__(
        self, command: list[str], taker: MessageTaker, environment: Mapping[str, str] | None = None
    ) -> None:
        self.has_given = False
        self.code = 0
        self.said = ""
        self._command = command
        self._taker = taker
        self._environment = environment or {}
        self._patience = _Patience(time_limit())

    async def messages(self) -> AsyncGenerator[ImportedMessages, None]:
        """Starts it and gives its messages. When it is closed before its end the program is ended.

        Raises:
            RrdError: What it prints is no RRD stream.
            OSError: It cannot be started.
            TimeoutError: It was waited for longer than allowed.
        """
        process = await _start(self._command, self._environment)
        output, errors = _Pipe(process.stdout), _Pipe(process.stderr)
        said = asyncio.create_task(_end_of(errors))
        try:
            while piece := await self._patience.wait(output.read()):
                messages, error = await asyncio.to_thread(self._taker.take, piece)
                if messages:
                    self.has_given = True
                    yield ImportedMessages(messages)
                if error is not None:
                    raise error
            self.said = (await self._patience.wait(said)).decode("utf-8", "replace").strip()
            await self._patience.wait(_wait_for(process))
            self.code = process.poll() or 0
        finally:
            said.cancel()
            output.close()
            errors.close()
            if process.returncode is None:
                # It goes on to its end even if whoever waits for it is cancelled once more.
                await asyncio.shield(asyncio.to_thread(end_group, process, TERMINATION_SECS))


def time_limit() -> float | None:
    """How many seconds a program may be waited for altogether; ``None`` for ever."""
    text = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise ValueError(f"{TIMEOUT_VARIABLE} must be a positive number of seconds, not {text!r}")
    return seconds


class _Patience:
    """Waits, all in all so many seconds. That we keep the program waiting does not count."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._left = limit

    async def wait(self, awaitable: Awaitable[T]) -> T:
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout(self._left):
                return await awaitable
        except TimeoutError:
            raise TimeoutError(
                f"it takes longer than {self._limit} s, which {TIMEOUT_VARIABLE} allows"
            ) from None
        finally:
            if self._left is not None:
                self._left = max(0.0, self._left - (loop.time() - start))


async def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """It has closed its output: mostly it has ended by then, or does so in a moment."""
    while not has_ended(process):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(_POLL_SECS)


class _Program(subprocess.Popen[bytes]):
    """A program that prints bytes."""


async def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts a program in a thread; cancelled, it is ended again."""
    starting = asyncio.get_running_loop().run_in_executor(None, _popen, command, environment)
    try:
        await asyncio.wait([starting])
    except asyncio.CancelledError:
        starting.add_done_callback(_end_unwanted)
        raise
    return starting.result()


def _end_unwanted(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        process = starting.result()
        process.kill()
        asyncio.get_running_loop().run_in_executor(None, end_group, process, TERMINATION_SECS)


def _popen(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if name != "RERUN_APP_ONLY"}
    return _Program(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**inherited, **environment},
        **own_group(),
    )


class _Pipe:
    """Reads a pipe on the event loop. Its program is held up when nobody reads."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._reader = asyncio.StreamReader(limit=_PIECE_BYTES)
        self._transport: asyncio.ReadTransport | None = None

    async def read(self) -> bytes:
        """The next bytes; none at the end."""
        if self._transport is None:
            protocol = asyncio.StreamReaderProtocol(self._reader)
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.connect_read_pipe(lambda: protocol, self._pipe)
        return await self._reader.read(_PIECE_BYTES)

    def close(self) -> None:
        """Stops reading."""
        if self._transport is None:
            self._pipe.close()
        else:
            self._transport.close()


async def _end_of(pipe: _Pipe) -> bytes:
    """Reads all of a pipe and keeps its end."""
    kept = b""
    while piece := await pipe.read():
        kept = (kept + piece)[-MAX_STDERR_BYTES:]
    return kept
