"""What every part of a file that is split needs: announcements, properties, static data, blueprints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from aiorerun.codec.framing import MessageKind
from aiorerun.files.disk_table import DiskTable
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.codec.messages import Message
    from aiorerun.files.output import RrdWriter
    from aiorerun.files.passing import Passing
    from aiorerun.files.reading import FileReader
    from aiorerun.types.store import StoreId

# In this order.
ANNOUNCEMENT: Final = 0
PROPERTIES: Final = 1
STATIC: Final = 2


class Prelude:
    """Knows where in a file the messages are that stand at the beginning of every part.

    Args:
        reader: The file.
        passing: What makes messages of it.
    """

    def __init__(self, reader: FileReader, passing: Passing) -> None:
        self._reader = reader
        self._passing = passing
        self._table = DiskTable("store", "rank", "place", others=("size",))
        self._numbers: dict[StoreId, int] = {}
        self._blueprints: dict[str, list[StoreId]] = {}
        self._num_recordings: Counter[str] = Counter()
        self._announced: set[StoreId] = set()
        self._temporal: set[StoreId] = set()

    def add(self, store: StoreId, kind: MessageKind, rank: int, offset: int, size: int) -> None:
        """Notes a message that belongs into every part."""
        if kind is MessageKind.SET_STORE_INFO:
            if store in self._announced:
                return
            self._announced.add(store)
        number = self._number(store)
        # The messages of a blueprint keep their order: the command to use it comes last.
        self._table.add(number, ANNOUNCEMENT if store.kind is StoreKind.BLUEPRINT else rank, offset, size)

    def note_temporal(self, store: StoreId) -> None:
        """Notes that a recording has data that is not in every part."""
        self._number(store)
        self._temporal.add(store)

    def _number(self, store: StoreId) -> int:
        number = self._numbers.get(store)
        if number is None:
            number = self._numbers[store] = len(self._numbers)
            if store.kind is StoreKind.BLUEPRINT:
                self._blueprints.setdefault(store.application_id, []).append(store)
            else:
                self._num_recordings[store.application_id] += 1
        return number

    def has_several(self, application_id: str) -> bool:
        """Whether there is more than one recording of an application."""
        return self._num_recordings[application_id] > 1

    def without_data(self) -> list[StoreId]:
        """The recordings and blueprints that no row of another part will call for."""
        applications = {store.application_id for store in self._temporal}
        return [
            store
            for store in self._numbers
            if store not in self._temporal
            and not (store.kind is StoreKind.BLUEPRINT and store.application_id in applications)
        ]

    def write(self, writer: RrdWriter, store: StoreId, begun: set[StoreId]) -> None:
        """Writes what is needed before the data of a recording, unless the part has it already."""
        blueprints = self._blueprints.get(store.application_id, ())
        for each in (*blueprints, store):
            if each not in begun:
                begun.add(each)
                for message in self._messages(each):
                    writer.write(message)

    def _messages(self, store: StoreId) -> Iterator[Message]:
        for offset, size in self._table.rows("place, size", "store = ?", (self._number(store),)):
            message = self._passing.message(self._reader.read(offset, size))
            assert message is not None
            yield message

    def close(self) -> None:
        """Gives the space back."""
        self._table.close()
