"""What every new connection, and every part of a recording in several files, begins with. Pure."""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.protobuf import fields
from aiorerun.sinks.parcel import is_property
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

RESIDENT_BYTES: Final = 64 << 20
"""So much is kept at most."""

ENTRY_BYTES: Final = 1024
"""What keeping a message costs beside its bytes, about."""

SERVERS: Final = "a server that starts anew gets only what was logged last"


class _Lane(IntEnum):
    """In which order it is told."""

    STORE_INFO = 0
    PROPERTIES = 1
    BLUEPRINTS = 2
    STATICS = 3


_DROPPED_FIRST: Final = (_Lane.STATICS, _Lane.BLUEPRINTS, _Lane.PROPERTIES, _Lane.STORE_INFO)


class Held(NamedTuple):
    """A message that is kept, with its number."""

    number: int
    message: Message

    @property
    def nbytes(self) -> int:
        """What it counts towards the limit."""
        return self.message.nbytes + ENTRY_BYTES


class Resident:
    """What a server that lost its memory, or another file, has to be told again.

    That is what has no time, and what is shown how.

    These are the announcement of each store, its properties, the blueprints in use with the commands that
    activate them, and of static data the newest of each entity and set of columns, and those with rows that
    leave some of them out. Over the limit, static data goes first, oldest first, with one warning.

    Args:
        limit: Bytes that are kept, :data:`ENTRY_BYTES` for each message included.
        warn: Gets the text of the warning.
        consequence: What it means if not everything is kept; the end of that text.

    Attributes:
        nbytes: Bytes that are kept.
    """

    def __init__(self, limit: int, warn: Callable[[str], None], consequence: str = SERVERS) -> None:
        self._limit = limit
        self._warn = warn
        self._consequence = consequence
        self._warned = False
        self._lanes: dict[_Lane, OrderedDict[Hashable, Held]] = {lane: OrderedDict() for lane in _Lane}
        self._numbers: dict[int, int] = {}
        self._active: dict[str, StoreId] = {}
        self._default: dict[str, StoreId] = {}
        self._activated: set[StoreId] = set()
        self.nbytes = 0

    def put(self, number: int, message: Message) -> list[Held]:
        """Keeps a message, if it is one of those that are kept; returns what is not kept any more for it.

        Args:
            number: Its number; these grow.
            message: Any message.
        """
        lane, key = self._place(number, message)
        if lane is None:
            return []
        gone: list[Held] = []
        former = self._lanes[lane].pop(key, None)
        if former is not None:
            gone.append(self._forget(former))
        held = Held(number, message)
        if held.nbytes > self._limit:
            self._tell()
            return gone
        self._lanes[lane][key] = held
        self._numbers[number] = message.rows
        self.nbytes += held.nbytes
        if message.kind is MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
            gone += self._note_activation(message)
        if self.nbytes > self._limit:
            gone += self._shrink(number)
        return gone

    def holds(self, number: int) -> bool:
        """Whether the message of this number is kept."""
        return number in self._numbers

    def rows_between(self, first: int, end: int) -> int:
        """Rows of the messages that are kept whose numbers are in this range."""
        return sum(rows for number, rows in self._numbers.items() if first <= number < end)

    def between(self, first: int, end: int) -> list[Held]:
        """The messages that are kept whose numbers are in this range."""
        return [held for lane in self._lanes.values() for held in lane.values() if first <= held.number < end]

    def messages(self, first: int = 0, end: int = 0) -> list[Message]:
        """What comes first, in order.

        Args:
            first: Messages from this number on
            end: up to this one are left out: they are told anyway, in their own order.
        """
        return [
            held.message
            for lane in _Lane
            for held in self._lanes[lane].values()
            if not first <= held.number < end
        ]

    def store_infos(self) -> list[Message]:
        """The announcements of all stores."""
        return [held.message for held in self._lanes[_Lane.STORE_INFO].values()]

    def _place(self, number: int, message: Message) -> tuple[_Lane | None, Hashable]:
        store = message.store
        if message.kind is MessageKind.SET_STORE_INFO:
            return _Lane.STORE_INFO, store
        if message.kind is MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
            return _Lane.BLUEPRINTS, (store, activation_flags(message))
        if message.index is None:
            return None, None
        group = message.index.group
        is_static = not group.columns.timelines
        key: Hashable = (store, group.entity_path, group.columns)
        if store.kind is StoreKind.BLUEPRINT:
            # Blueprints have a timeline, on which nothing replaces anything.
            return _Lane.BLUEPRINTS, key if is_static else (store, number)
        if not is_static:
            return None, None
        if group.sparse or not message.rows:
            # What it leaves out stays as it was before.
            key = (store, group.entity_path, number)
        return _Lane.PROPERTIES if is_property(group.entity_path) else _Lane.STATICS, key

    def _note_activation(self, message: Message) -> list[Held]:
        """Lets go of blueprints that are neither shown nor the default any more."""
        store = message.store
        application = store.application_id
        makes_active, makes_default = activation_flags(message)
        if makes_active or application not in self._active:
            self._active[application] = store
        if makes_default:
            self._default[application] = store
        self._activated.add(store)
        used = {self._active[application], self._default.get(application)}
        unused = {
            other for other in self._activated if other.application_id == application and other not in used
        }
        if not unused:
            return []
        self._activated -= unused
        gone: list[Held] = []
        for lane in (_Lane.STORE_INFO, _Lane.BLUEPRINTS):
            for key, held in list(self._lanes[lane].items()):
                if held.message.store in unused:
                    del self._lanes[lane][key]
                    gone.append(self._forget(held))
        return gone

    def _shrink(self, newest: int) -> list[Held]:
        self._tell()
        gone: list[Held] = []
        for lane in _DROPPED_FIRST:
            held_here = self._lanes[lane]
            while self.nbytes > self._limit and held_here:
                key, held = held_here.popitem(last=False)
                if held.number == newest:
                    # What came last is kept as long as there is anything else to let go of.
                    held_here[key] = held
                    break
                gone.append(self._forget(held))
        return gone

    def _forget(self, held: Held) -> Held:
        del self._numbers[held.number]
        self.nbytes -= held.nbytes
        return held

    def _tell(self) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"more than {self._limit} bytes of static data: {self._consequence}")


def activation_flags(message: Message) -> tuple[bool, bool]:
    """Whether a command makes its blueprint active, and whether it makes it the default."""
    payload = memoryview(b"".join(bytes(segment) for segment in message.segments))
    flags = {number: bool(value) for number, _, value in fields(payload) if isinstance(value, int)}
    return flags.get(2, False), flags.get(3, False)
