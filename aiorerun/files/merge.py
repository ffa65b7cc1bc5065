"""Several files become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiorerun.codec.framing import MessageKind
from aiorerun.files.disk_table import DiskTable
from aiorerun.files.output import RrdOutput, total_size
from aiorerun.files.passing import Passing
from aiorerun.files.progress import Stage, ignore
from aiorerun.files.reading import FileReader, no_note

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.files.output import RrdWriter
    from aiorerun.files.progress import OnProgress
    from aiorerun.files.reading import Note
    from aiorerun.types.store import StoreId


@dataclass
class Merged:
    """What became of the files.

    Attributes:
        stores: Recordings and blueprints in the new file.
        chunks: Its chunks.
        rows: Its rows.
        repeated: Chunks that were there before, and were left out.
        nbytes: Bytes of the new file.
        has_footer: Whether it has a footer; not if there are too many chunks for one.
    """

    stores: int = 0
    chunks: int = 0
    rows: int = 0
    repeated: int = 0
    nbytes: int = 0
    has_footer: bool = True


def merge(
    paths: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    force: bool = False,
    continue_on_error: bool = False,
    on_note: Callable[[Note], object] = no_note,
    on_progress: OnProgress = ignore,
) -> Merged:
    """Writes what is in several files into one, file after file, in their order.

    Recordings are told apart by kind, application id and recording id; what belongs to the same one is
    joined. A chunk that is there several times (files that were split, copies) is written once. Chunks stay
    as they are, byte for byte.

    Args:
        paths: The files; pipes and ``-`` for the standard input are copied to the disk first.
        output: The new file, or ``-`` for the standard output.
        force: Whether a file that exists is replaced.
        continue_on_error: Whether damaged messages are left out; by default they are raised.
        on_note: Is told of what is left out because it is incomplete or damaged.
        on_progress: Is told how far it is.

    Raises:
        RrdError: A file is no RRD file, or damaged.
        OSError: A file cannot be read, or the new one not be written; then it does not appear.
    """
    outcome = Merged()
    total, before = total_size(paths), 0
    with RrdOutput(output, force=force) as writer, DiskTable("store", "id") as chunks:
        merger = _Merger(writer, chunks, outcome)
        for path in paths:
            with FileReader(path, on_note, skip_damage=continue_on_error) as reader:
                stage = Stage(on_progress, before, max(total, before + reader.size))
                for _, message in reader.messages(Passing().message, stage):
                    if message is not None:
                        merger.add(message)
                before += reader.size
        outcome.stores = len(merger.stores)
        writer.finish()
        outcome.nbytes, outcome.has_footer = writer.nbytes, writer.has_footer
    return outcome


class _Merger:
    """Decides what of the files goes into the new one."""

    def __init__(self, writer: RrdWriter, chunks: DiskTable, outcome: Merged) -> None:
        self._writer = writer
        self._chunks = chunks
        self._outcome = outcome
        self._announced: set[StoreId] = set()
        self.stores: dict[StoreId, int] = {}

    def add(self, message: Message) -> None:
        """Takes in a message."""
        store = message.store
        number = self.stores.setdefault(store, len(self.stores))
        if message.kind is MessageKind.SET_STORE_INFO:
            if store in self._announced:
                return
            self._announced.add(store)
        elif message.index is not None:
            # The id comes first in what the footer will say.
            if not self._chunks.add(number, message.index.record[:16]):
                self._outcome.repeated += 1
                return
            self._outcome.chunks += 1
            self._outcome.rows += message.rows
        self._writer.write(message)
