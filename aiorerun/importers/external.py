"""Programs on the ``PATH`` that import files: ``rerun-importer-*``, and by their old name ``rerun-loader-*``.

They are given a file and print an RRD stream.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from aiorerun.importers.base import ImportedMessages, IncompatibleFileError
from aiorerun.importers.rrd import MessageTaker
from aiorerun.types.timeline import TimelineKind
from aiorerun.versions import EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE
from aiorerun.viewer.process_group import end_group, has_ended, own_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiorerun.importers.base import Imported, ImportSettings

logger = logging.getLogger("aiorerun")

PREFIXES: Final = ("rerun-importer-", "rerun-loader-")
"""How the names of these programs begin."""

TERMINATION_SECS: Final = 2.0
"""How long a program has to end on its own when it is not wanted any more."""

MAX_STDERR_BYTES: Final = 32 << 10
"""Of what a program prints to standard error only so much is kept, the end of it."""

_PIECE_BYTES: Final = 1 << 18
_POLL_SECS: Final = 0.02

# The flags that the times of a call are told by: today's, and those of older programs.
_FLAGS: Final = {
    TimelineKind.SEQUENCE: ("--time_sequence", "--sequence"),
    TimelineKind.DURATION: ("--time_duration_nanos", "--time"),
    TimelineKind.TIMESTAMP: ("--time_timestamp_nanos", "--time"),
}


class _Found:
    importers: list[ExternalImporter] | None = None


def external_importers() -> list[ExternalImporter]:
    """The programs on the ``PATH``, looked for once. It blocks."""
    if _Found.importers is None:
        _Found.importers = [ExternalImporter(path) for path in find_programs(os.environ.get("PATH", ""))]
    return _Found.importers


def find_programs(search_path: str) -> list[Path]:
    """The importers in these directories; of equal names the first one counts."""
    found: dict[str, Path] = {}
    for directory in filter(None, search_path.split(os.pathsep)):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            path = Path(directory, name)
            if name.startswith(PREFIXES) and path.is_file() and os.access(path, os.X_OK):
                found.setdefault(name, path)
    return list(found.values())


class ExternalImporter:
    """A program that imports files.

    Args:
        program: Its file.
    """

    def __init__(self, program: Path) -> None:
        self.name = program.name
        self._program = program

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Imported, None]:
        """See :class:`aiorerun.importers.Importer`. When it is closed before its end the program is ended."""
        if contents is not None:
            raise IncompatibleFileError
        process = await _start([str(self._program), os.fspath(path), *arguments(settings)])
        has_given = False
        taker = MessageTaker()
        output, errors = _Pipe(process.stdout), _Pipe(process.stderr)
        said = asyncio.create_task(_end_of(errors))
        try:
            while piece := await output.read():
                messages, error = await asyncio.to_thread(taker.take, piece)
                if messages:
                    has_given = True
                    yield ImportedMessages(messages)
                if error is not None:
                    raise error
            text = (await said).decode("utf-8", "replace").strip()
            # It has closed its output: mostly it has ended by then, or does so in a moment.
            while not has_ended(process):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(_POLL_SECS)
            code = process.poll()
        finally:
            said.cancel()
            output.close()
            errors.close()
            if process.returncode is None:
                # It goes on to its end even if whoever waits for it is cancelled once more.
                await asyncio.shield(asyncio.to_thread(end_group, process, TERMINATION_SECS))
        if code == EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE and not has_given:
            raise IncompatibleFileError
        if code != 0:
            logger.error("%s: importer %s failed with exit code %d: %s", path, self.name, code, text)
            if not has_given:
                raise IncompatibleFileError


def arguments(settings: ImportSettings) -> list[str]:
    """What a program is told beside the file."""
    command = ["--application-id", settings.application_id, "--recording-id", settings.recording_id]
    command += ["--opened-application-id", settings.application_id]
    command += ["--opened-recording-id", settings.recording_id]
    if settings.entity_path_prefix is not None:
        command += ["--entity-path-prefix", settings.entity_path_prefix]
    if settings.is_static:
        return [*command, "--timeless", "--static"]
    for timeline, value in settings.times:
        for flag in _FLAGS[timeline.kind]:
            command += [flag, f"{timeline.name}={value}"]
    return command


class _Program(subprocess.Popen[bytes]):
    """A program that prints bytes."""


async def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Starts a program in a thread; cancelled, it is ended again."""
    starting = asyncio.get_running_loop().run_in_executor(None, _popen, command)
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


def _popen(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "RERUN_APP_ONLY"}
    return _Program(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environment,
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
