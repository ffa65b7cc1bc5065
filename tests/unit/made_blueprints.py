"""Blueprints for tests that send them, made by hand, and what a stream says of its stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import aiorerun as rr
from aiorerun.blueprint._rows import row
from aiorerun.codec.decode_messages import ArrowMsg, BlueprintActivation, StoreInfo, decode_message
from aiorerun.codec.decoder import iter_messages
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aiorerun.blueprint._rows import BlueprintRow
    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId


class MadeBlueprint:
    """Looks like a blueprint: one row for each of its entities."""

    def __init__(self, *paths: str) -> None:
        self.paths = list(paths) or ["/viewport", "/view/1"]

    def to_blueprint(self) -> MadeBlueprint:
        return self

    def _rows(self) -> Iterator[BlueprintRow]:
        for path in self.paths:
            yield row(path, rr.TextDocument(path))
        # What has no components is no row.
        yield row("/nothing", rr.TextDocument.from_fields())


class MadeView:
    """Looks like a view, which makes a blueprint of itself."""

    def to_blueprint(self) -> MadeBlueprint:
        return MadeBlueprint("/view/alone")


class Seen(NamedTuple):
    """What a message says.

    Attributes:
        kind: ``info``, ``chunk`` or ``activation``.
        store: ``r`` for the recording; blueprints are ``b0``, ``b1`` and so on, in the order they come.
        what: The entity of a chunk; the flags of an activation.
    """

    kind: str
    store: str
    what: str = ""


def seen(source: bytes | Path) -> list[Seen]:
    """What the messages of a stream say. Announcements that only repeat the one before are left out."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    return _seen(decode_message(raw.kind, raw.payload) for raw in iter_messages(data))


def seen_messages(messages: Iterable[Message]) -> list[Seen]:
    """Like :func:`seen`, for messages that sinks got."""
    return _seen(
        decode_message(message.kind, memoryview(b"".join(bytes(each) for each in message.segments)))
        for message in messages
    )


def _seen(messages: Iterable[object]) -> list[Seen]:
    names: dict[StoreId, str] = {}
    found: list[Seen] = []

    def name(store: StoreId) -> str:
        if store.kind is StoreKind.RECORDING:
            return "r"
        return names.setdefault(store, f"b{len(names)}")

    for message in messages:
        if isinstance(message, StoreInfo):
            info = Seen("info", name(message.store))
            if found[-1:] != [info]:
                found.append(info)
        elif isinstance(message, ArrowMsg):
            path = message.batch(1 << 30).schema.metadata[b"rerun:entity_path"].decode()
            found.append(Seen("chunk", name(message.store), path))
        elif isinstance(message, BlueprintActivation):
            flags = [("active", message.make_active), ("default", message.make_default)]
            text = " ".join(word for word, flag in flags if flag)
            found.append(Seen("activation", name(message.store), text))
    return found


def whole(store: str, flags: str, *paths: str) -> list[Seen]:
    """What a blueprint looks like in a stream."""
    return [
        Seen("info", store),
        *(Seen("chunk", store, path) for path in paths or ("/viewport", "/view/1")),
        Seen("activation", store, flags),
    ]
