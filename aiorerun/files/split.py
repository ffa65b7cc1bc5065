"""One file becomes several, by size or by time."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiorerun.codec.decode_messages import ArrowMsg, Footer, decode_message
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.files.output import OutputSet, RrdWriter
from aiorerun.files.passing import Passing
from aiorerun.files.prelude import ANNOUNCEMENT, PROPERTIES, STATIC, Prelude
from aiorerun.files.progress import Stage, ignore
from aiorerun.files.reading import FileReader, no_note
from aiorerun.recording.source import STANDARD_INPUT
from aiorerun.sinks.parcel import is_property
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from aiorerun.codec.decoder import RawMessage
    from aiorerun.codec.messages import Message
    from aiorerun.files.passing import ReadChunk
    from aiorerun.files.progress import OnProgress
    from aiorerun.files.reading import Note
    from aiorerun.types.store import StoreId

MAX_PARTS: Final = 10_000
"""More parts than this are taken for a mistake."""

_MARGIN: Final = 1 << 10
"""The next chunk adds so much to the footer, about."""


@dataclass(frozen=True)
class Part:
    """A file that was made.

    Attributes:
        path: The file.
        chunks: Its chunks, those included that every part has.
        nbytes: Its bytes.
    """

    path: Path
    chunks: int
    nbytes: int


@dataclass(frozen=True)
class SplitOptions:
    """How a file is split.

    Attributes:
        force: Whether files that exist are replaced.
        recording_id: Recordings get this id and the number of the part, followed by ``-`` and the id that
            they had where an application has several; by default they keep theirs.
        continue_on_error: Whether damaged messages are left out; by default they are raised.
        on_note: Is told of what is left out because it is incomplete or damaged.
        on_progress: Is told how far it is.
    """

    force: bool = False
    recording_id: str | None = None
    continue_on_error: bool = False
    on_note: Callable[[Note], object] = no_note
    on_progress: OnProgress = ignore


DEFAULTS: Final = SplitOptions()
"""Nothing is replaced, renamed or left out."""


class Parts:
    """Makes the parts of a file, one after the other.

    Args:
        outputs: What makes files appear.
        folder: Where.
        stem: How their names begin.
        prelude: What comes first in each.
    """

    def __init__(self, outputs: OutputSet, folder: Path, stem: str, prelude: Prelude) -> None:
        self._outputs = outputs
        self._folder = folder
        self._stem = stem
        self._prelude = prelude
        self._begun: set[StoreId] = set()
        self._path: Path | None = None
        self.made: list[Part] = []
        self.writer: RrdWriter | None = None

    def begin(self) -> RrdWriter:
        """Begins the next part."""
        if len(self.made) == MAX_PARTS:
            raise ValueError(f"this would make more than {MAX_PARTS} parts; choose larger ones")
        self._path = self._folder / f"{self._stem}_{len(self.made):04d}.rrd"
        writer = self.writer = RrdWriter(self._outputs.new(self._path))
        self._begun = set()
        if not self.made:
            for store in self._prelude.without_data():
                self._prelude.write(writer, store, self._begun)
        return writer

    def write(self, store: StoreId, message: Message) -> None:
        """Adds data of a recording, which goes by this name in the file that is split."""
        writer = self.writer or self.begin()
        self._prelude.write(writer, store, self._begun)
        writer.write(message)

    def end(self) -> None:
        """Completes the part, if there is one."""
        writer, self.writer = self.writer, None
        if writer is None:
            return
        with writer:
            writer.finish()
        assert self._path is not None
        self.made.append(Part(self._path, writer.num_chunks, writer.nbytes))

    def finish(self) -> list[Part]:
        """Completes the last part; there is always one."""
        if self.writer is None and not self.made:
            self.begin()
        self.end()
        return self.made

    def abandon(self) -> None:
        """Closes a part that was not completed."""
        if self.writer is not None:
            self.writer.close()


class Splitting:
    """What both ways of splitting have in common; a context manager around all of the work.

    The file is read twice: once to find what every part needs, once to write. The second time tells of what
    is left out.

    Args:
        path: The file.
        folder: Where the parts go; made if it does not exist.
        options: How.

    Attributes:
        reader: The file.
        passing: What makes messages of it.
        prelude: What comes first in each part.
        parts: The parts.
    """

    def __init__(
        self, path: str | os.PathLike[str], folder: str | os.PathLike[str], options: SplitOptions
    ) -> None:
        self._options = options
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.reader = FileReader(path, no_note, skip_damage=options.continue_on_error)
            stack.callback(self.reader.close)
            outputs = stack.enter_context(OutputSet(force=options.force))
            outputs.make_folder(Path(folder))
            self.passing = Passing()
            self.prelude = Prelude(self.reader, self.passing)
            stack.callback(self.prelude.close)
            name = Path(os.fspath(path)).name
            stem = "stdin" if name == STANDARD_INPUT else Path(name).stem
            self.parts = Parts(outputs, Path(folder), stem, self.prelude)
            stack.callback(self.parts.abandon)
            self._stack = stack.pop_all()

    def begin_writing(self) -> None:
        """What was to be found is found: from now on parts are written, and notes are made."""
        self.reader.on_note = self._options.on_note
        if self._options.recording_id is not None:
            self.passing.rename = self._named

    def _named(self, store: StoreId) -> StoreId:
        if store.kind is StoreKind.BLUEPRINT:
            return store
        name = f"{self._options.recording_id}{len(self.parts.made)}"
        if self.prelude.has_several(store.application_id):
            # Several with one id would become one recording.
            name = f"{name}-{store.recording_id}"
        return store._replace(recording_id=name)

    def survey(self, raw: RawMessage) -> tuple[StoreId, ReadChunk | None] | None:
        """Notes a message that belongs into every part.

        Returns:
            The recording of one that does not, and its chunk if that was read; ``None`` for others.
        """
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, Footer):
            return None
        store = self.passing.store(decoded)
        rank = ANNOUNCEMENT
        if isinstance(decoded, ArrowMsg) and store.kind is StoreKind.RECORDING:
            # Only what seems to be static is looked at more closely.
            chunk = None if decoded.is_static is False else self.passing.chunk(raw)
            if chunk is None or chunk.facts.indexes:
                self.prelude.note_temporal(store)
                return store, chunk
            rank = PROPERTIES if is_property(chunk.facts.entity_path) else STATIC
        self.prelude.add(store, raw.kind, rank, raw.offset, len(raw.payload))
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def split_by_size(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    size: int,
    options: SplitOptions = DEFAULTS,
) -> list[Part]:
    """Splits a file into parts of about a size, each complete in itself.

    Every part begins with the announcements, properties and static data of the recordings that it has data
    of, and their blueprints. Chunks are not divided: they stay as they are, in their order, and a part is
    larger only if what every part needs and one chunk are. ``merge`` makes one file of the parts again.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        folder: Where the parts go, as ``NAME_0000.rrd`` and so on; made if it does not exist.
        size: Bytes of a part.
        options: How.

    Returns:
        The parts.

    Raises:
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be read, or a part not be written; then none of them appears.
        ValueError: There would be more than 10,000 parts.
    """
    with Splitting(path, folder, options) as splitting:
        reader, parts = splitting.reader, splitting.parts
        total = 2 * reader.size
        for _ in reader.messages(splitting.survey, Stage(options.on_progress, 0, total)):
            pass
        splitting.begin_writing()
        num_data = 0

        def place(raw: RawMessage) -> None:
            nonlocal num_data
            store = _store_of_data(splitting.passing, raw)
            if store is None:
                return
            if num_data and parts.writer is not None and _full_size(parts.writer, raw) > size:
                parts.end()
                num_data = 0
            message = splitting.passing.message(raw)
            assert message is not None
            parts.write(store, message)
            num_data += 1

        for _ in reader.messages(place, Stage(options.on_progress, reader.size, total)):
            pass
        return parts.finish()


def _store_of_data(passing: Passing, raw: RawMessage) -> StoreId | None:
    """The recording of a chunk that does not belong into every part."""
    if raw.kind is not MessageKind.ARROW_MSG:
        return None
    decoded = decode_message(raw.kind, raw.payload)
    assert isinstance(decoded, ArrowMsg)
    store = passing.store(decoded)
    if store.kind is StoreKind.BLUEPRINT:
        return None
    return store if decoded.is_static is False or passing.chunk(raw).facts.indexes else None


def _full_size(writer: RrdWriter, raw: RawMessage) -> int:
    """What a part will have with one more message, about."""
    return writer.estimated_nbytes + MESSAGE_HEADER.size + len(raw.payload) + _MARGIN
