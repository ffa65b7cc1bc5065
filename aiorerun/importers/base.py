"""What importers are, what they are told, and what they give."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

from aiorerun.pipeline.columns import ColumnBlock
from aiorerun.types.entity_path import new_entity_path, split_entity_path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator
    from pathlib import Path

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.columns import ComponentColumnLike
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch
    from aiorerun.types.time_column import TimeColumnLike
    from aiorerun.types.timeline import Timeline

MAX_FILE_BYTES: Final = (1 << 31) - 1
"""The longest file that fits into one component: Arrow counts bytes in 32 bits."""

_SEPARATORS: Final = re.compile(r"[/\\]" if os.name == "nt" else "/")


class IncompatibleFileError(Exception):
    """An importer raises it, before it gives anything, for a file that is not for it.

    Its text, if it has one, becomes part of the error if no other importer takes the file.
    """


class ImportedRow(NamedTuple):
    """A row that an importer gives.

    Attributes:
        entity_path: Where: a path as for ``log``; :meth:`ImportSettings.entity_path` gives that of the file.
        entity: What: an archetype, anything with ``as_component_batches()``, or described batches.
        static: Whether it has no times; otherwise it gets those of the call that imports the file, which
            has none with ``static=True``.
    """

    entity_path: str | list[object]
    entity: AsComponents | Iterable[DescribedComponentBatch]
    static: bool = False


class ImportedColumns(NamedTuple):
    """Many rows that an importer gives, with times of their own; as the arguments of ``send_columns``."""

    entity_path: str | list[object]
    indexes: Iterable[TimeColumnLike]
    columns: Iterable[ComponentColumnLike]


class ImportedMessages(NamedTuple):
    """Encoded messages with stores of their own, such as those of a recording that was read."""

    messages: list[Message]


Imported: TypeAlias = ImportedRow | ImportedColumns | ColumnBlock | ImportedMessages
"""What importers give. Those outside this package give rows and columns."""


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """What an importer is told about the call.

    Attributes:
        application_id: Of the recording that the file is logged to.
        recording_id: Of that recording.
        entity_path_prefix: What entity paths begin with, in written form; ``None`` if nothing.
        is_static: Whether rows get no times.
        times: The times that rows get, unless they are static: timelines and 64-bit values.
    """

    application_id: str
    recording_id: str
    entity_path_prefix: str | None = None
    is_static: bool = False
    times: tuple[tuple[Timeline, int], ...] = ()

    def entity_path(self, path: str | os.PathLike[str]) -> str:
        """The entity path of a file: the prefix, then the path with ``.`` and ``..`` resolved as text."""
        parts: list[str] = []
        for part in _SEPARATORS.split(os.fspath(path)):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(_readable(part))
        return self.below_prefix(parts)

    def below_prefix(self, parts: Iterable[str]) -> str:
        """The entity path of these parts, unescaped, below the prefix."""
        prefix = [] if self.entity_path_prefix is None else split_entity_path(self.entity_path_prefix)
        return new_entity_path([*prefix, *parts])


def _readable(part: str) -> str:
    """A name that is no UTF-8 in the file system with signs that stand for what cannot be read."""
    return part if part.isascii() else part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Importer(Protocol):
    """What :func:`register_importer` takes.

    Attributes:
        name: What messages call it.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Any, None]:
        """Gives what is in a file, as :class:`ImportedRow` and :class:`ImportedColumns`.

        It runs on the event loop: what may block belongs into a thread. It is closed when the import is
        cancelled. Any error it raises is logged; what it gave before stays.

        Args:
            path: The file, as the caller named it.
            contents: What is in it, if the caller has that already: then the path only names it.
            settings: What the caller wants.

        Raises:
            IncompatibleFileError: The file is not for this importer.
        """
        ...


class FileImporter:
    """An importer of files with certain extensions that is plain code, run in a thread.

    Subclasses set the class attributes and implement :meth:`items`.
    """

    name: str
    extensions: ClassVar[frozenset[str]]
    """Lower case, without the dot."""

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """What is in the file, step by step; each step runs in a thread."""
        raise NotImplementedError

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Imported, None]:
        """See :class:`Importer`."""
        steps = self.items(path, contents, settings)
        while (item := await asyncio.to_thread(next, steps, None)) is not None:
            yield item


def extension_of(path: Path) -> str:
    """The extension of a path in lower case, without the dot; empty if there is none."""
    return path.suffix[1:].lower()


def read(path: Path, contents: bytes | None) -> bytes:
    """What is in a file that becomes one component.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too long, or no regular file.
    """
    if contents is None:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ValueError("it is longer than 2 GiB, which no component can hold")
        contents = path.read_bytes()
    if len(contents) > MAX_FILE_BYTES:
        raise ValueError("it is longer than 2 GiB, which no component can hold")
    return contents
