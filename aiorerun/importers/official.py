"""Formats that are left to the official program, if it is installed: MCAP files, and LeRobot datasets."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import IncompatibleFileError
from aiorerun.importers.program import Run
from aiorerun.importers.rrd import MessageTaker
from aiorerun.viewer.errors import ViewerNotFoundError
from aiorerun.viewer.executable import find_executable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiorerun.importers.base import Imported, ImportSettings

logger = logging.getLogger("aiorerun")

# Its messages in plain text, and only those that say that something is wrong.
_ENVIRONMENT: Final = {"NO_COLOR": "1", "RUST_LOG": "warn"}
# It ends with 0 also when it could not read the file.
_ERROR: Final = re.compile(r"^(\S+Z +ERROR|Error:)", re.MULTILINE)


class McapImporter:
    """MCAP files: what is in them is told by ``rerun mcap convert``."""

    name: str = "MCAP"
    extensions: ClassVar[frozenset[str]] = frozenset({"mcap"})

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Imported, None]:
        """See :class:`aiorerun.importers.Importer`. When it is closed before its end the program is ended."""
        folder: Path | None = None
        try:
            if contents is not None:
                # The program reads files only, and not from its start to its end.
                folder = await asyncio.to_thread(_write, contents)
            rerun, source = await _program(path if folder is None else folder / "contents.mcap")
            command = [rerun, "mcap", "convert", source, "--application-id", settings.application_id]
            command += ["--recording-id", settings.recording_id]
            async with aclosing(_run(command, MessageTaker(), path)) as messages:
                async for each in messages:
                    yield each
        finally:
            if folder is not None:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


class LeRobotImporter:
    """LeRobot datasets, which are directories: every episode becomes a recording of the application."""

    name: str = "LeRobot"

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Imported, None]:
        """See :class:`aiorerun.importers.Importer`. When it is closed before its end the program is ended."""
        if os.name != "posix":
            raise IncompatibleFileError("LeRobot datasets are only read where there is /dev/stdout")
        rerun, source = await _program(path)
        # A server is always part of it: one that disturbs nobody.
        command = [rerun, source, "--port", "0", "--bind", "127.0.0.1"]
        command += ["--save", "/dev/stdout"]
        taker = MessageTaker(settings.application_id, also_of_recordings=True)
        async with aclosing(_run(command, taker, path)) as messages:
            async for each in messages:
                yield each


def is_lerobot(path: Path) -> bool:
    """Whether a directory is a LeRobot dataset. It blocks."""
    return (path / "meta" / "info.json").is_file() and (path / "data").is_dir()


def is_installed() -> bool:
    """Whether the official program is there. It blocks."""
    try:
        find_executable()
    except ViewerNotFoundError:
        return False
    return True


async def _program(source: Path) -> tuple[str, str]:
    """The official program, and how to name a file to it, which must not look like an option."""
    try:
        return await asyncio.to_thread(find_executable), await asyncio.to_thread(os.path.abspath, source)
    except ViewerNotFoundError as error:
        raise IncompatibleFileError(f"it is left to the official program, but {error}") from None


async def _run(command: list[str], taker: MessageTaker, path: Path) -> AsyncGenerator[Imported, None]:
    """What the program prints, from the first data on.

    Raises:
        ValueError: It could not read the file.
    """
    run = Run(command, taker, _ENVIRONMENT)
    held: list[Imported] = []
    has_rows = False
    async with aclosing(run.messages()) as messages:
        async for each in messages:
            # An announcement alone comes of a file that is broken.
            has_rows = has_rows or any(message.rows for message in each.messages)
            held.append(each)
            while has_rows and held:
                yield held.pop(0)
    if run.code != 0 or _ERROR.search(run.said):
        raise ValueError(run.said or f"the official program ended with exit code {run.code}")
    if run.said:
        logger.warning("%s: %s", path, run.said)


def _write(contents: bytes) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="aiorerun-"))
    try:
        (folder / "contents.mcap").write_bytes(contents)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder
