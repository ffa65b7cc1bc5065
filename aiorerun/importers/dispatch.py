"""Which importers see a file, and what becomes of what they give."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiorerun.errors import ImportPathError, NoImporterError
from aiorerun.importers.base import IncompatibleFileError
from aiorerun.importers.external import external_importers
from aiorerun.importers.official import LeRobotImporter, McapImporter, is_installed, is_lerobot
from aiorerun.importers.progress import Progress
from aiorerun.importers.registry import builtin_importer, registered_importers
from aiorerun.importers.rrd import PipeImporter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aiorerun.importers.base import Imported, Importer, ImportSettings

    Deliver: TypeAlias = Callable[[Imported], Awaitable[None]]

logger = logging.getLogger("aiorerun")

AT_ONCE: Final = 4
"""So many files of a directory are imported at the same time."""

_FILE: Final = "file"
_DIRECTORY: Final = "directory"
_LEROBOT: Final = "LeRobot dataset"
_PIPE: Final = "pipe"


class ImportStoppedError(Exception):
    """The recording takes nothing any more."""


async def import_path(path: Path, settings: ImportSettings, deliver: Deliver) -> None:
    """Imports a file, or all files of a directory.

    Errors of importers are logged.

    Args:
        path: The file or directory.
        settings: What the caller wants.
        deliver: Takes what the importers give; an error of it ends the import.

    Raises:
        ImportPathError: There is no such path.
        NoImporterError: No importer takes the file.
    """
    kind = await asyncio.to_thread(_kind_of, path)
    if kind == _PIPE:
        await _offer(PipeImporter(), path, None, settings, deliver)
        return
    importers: list[Importer] = registered_importers()
    builtin = builtin_importer(path) if kind == _FILE else None
    if builtin is not None:
        importers.append(builtin)
    if builtin is None or (builtin.name == McapImporter.name and not await asyncio.to_thread(is_installed)):
        importers += await asyncio.to_thread(external_importers)
    if kind == _LEROBOT:
        importers.append(LeRobotImporter())
    if kind == _DIRECTORY:
        await _all(
            _offer_all(importers, path, None, settings, deliver), _import_directory(path, settings, deliver)
        )
    else:
        await _take(importers, path, None, settings, deliver)


async def import_contents(path: Path, contents: bytes, settings: ImportSettings, deliver: Deliver) -> None:
    """Imports what the caller has read already; ``path`` only names it.

    Raises:
        NoImporterError: No importer takes it.
    """
    importers: list[Importer] = registered_importers()
    builtin = builtin_importer(path)
    if builtin is not None:
        importers.append(builtin)
    await _take(importers, path, contents, settings, deliver)


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return _LEROBOT if is_lerobot(path) else _DIRECTORY
    if path.is_fifo() or path.is_socket():
        return _PIPE
    if not path.exists():
        raise ImportPathError(f'path does not exist: "{path}"')
    return _FILE


async def _import_directory(path: Path, settings: ImportSettings, deliver: Deliver) -> None:
    files = await asyncio.to_thread(lambda: list(files_below(path)))
    waiting = iter(files)

    async def work() -> None:
        for file in waiting:
            try:
                await import_path(file, settings, deliver)
            except (NoImporterError, ImportPathError) as error:
                logger.error("%s", error)  # noqa: TRY400 - it says everything
            await progress.step()

    async with Progress(len(files), str(path)) as progress:
        await _all(*(work() for _ in range(AT_ONCE)))


def files_below(path: Path) -> Iterator[Path]:
    """All files below a directory. Links to other directories are not followed."""
    for directory, subdirectories, names in os.walk(path):
        subdirectories.sort()
        for name in sorted(names):
            yield Path(directory, name)


async def _take(
    importers: list[Importer],
    path: Path,
    contents: bytes | None,
    settings: ImportSettings,
    deliver: Deliver,
) -> None:
    """Lets all importers see a file.

    Raises:
        NoImporterError: None of them takes it.
    """
    refusals = await _offer_all(importers, path, contents, settings, deliver)
    if None not in refusals:
        reasons = "".join(f": {reason}" for reason in refusals if reason)
        raise NoImporterError(f'No importer support for "{path}"{reasons}')


async def _offer_all(
    importers: list[Importer],
    path: Path,
    contents: bytes | None,
    settings: ImportSettings,
    deliver: Deliver,
) -> list[str | None]:
    """Lets all importers see a file at once; returns what :func:`_offer` says of each."""
    return await _all(*(_offer(each, path, contents, settings, deliver) for each in importers))


async def _offer(
    importer: Importer, path: Path, contents: bytes | None, settings: ImportSettings, deliver: Deliver
) -> str | None:
    """Lets an importer see a file; returns why it does not take it, and ``None`` if it does."""
    try:
        async with aclosing(importer.import_file(path, contents, settings)) as items:
            async for item in items:
                await deliver(item)
    except IncompatibleFileError as refusal:
        return str(refusal)
    except ImportStoppedError:
        raise
    except Exception as error:
        logger.error(  # noqa: TRY400 - files are often damaged; a traceback would tell users nothing
            "%s could not be imported (%s): %s: %s", path, importer.name, type(error).__name__, error
        )
    return None


async def _all(*calls: Any) -> list[Any]:
    """The results of all calls; the first error ends the others."""
    if len(calls) == 1:
        return [await calls[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* ImportStoppedError:
        raise ImportStoppedError from None
    return [task.result() for task in tasks]
