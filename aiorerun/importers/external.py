"""Programs on the ``PATH`` that import files: ``rerun-importer-*``, and by their old name ``rerun-loader-*``.

They are given a file and print an RRD stream.
"""

from __future__ import annotations

import logging
import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiorerun.importers.base import IncompatibleFileError
from aiorerun.importers.program import Run
from aiorerun.importers.rrd import MessageTaker
from aiorerun.types.timeline import TimelineKind
from aiorerun.versions import EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiorerun.importers.base import Imported, ImportSettings

logger = logging.getLogger("aiorerun")

PREFIXES: Final = ("rerun-importer-", "rerun-loader-")
"""How the names of these programs begin."""

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
        run = Run([str(self._program), os.fspath(path), *arguments(settings)], MessageTaker())
        async with aclosing(run.messages()) as messages:
            async for each in messages:
                yield each
        if run.code == EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE and not run.has_given:
            raise IncompatibleFileError
        if run.code != 0:
            text = "%s: importer %s failed with exit code %d: %s"
            logger.error(text, path, self.name, run.code, run.said)
            if not run.has_given:
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
