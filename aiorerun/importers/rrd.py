"""Recordings and blueprints in Rerun's own format: their messages are taken over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import FileImporter, ImportedMessages, extension_of
from aiorerun.types.store import StoreKind, normalize_application_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from aiorerun.codec.decoder import RawMessage
    from aiorerun.codec.errors import RrdError
    from aiorerun.codec.messages import Message
    from aiorerun.importers.base import Imported, ImportSettings
    from aiorerun.types.store import StoreId

_PIECE_BYTES: Final = 1 << 20


class MessageTaker:
    """Takes over the messages of an RRD stream that comes in pieces.

    Recordings keep their own recording ids, and mostly their application.

    Args:
        application_id: What blueprints are made to belong to; ``None`` leaves them as they are.
        also_of_recordings: Whether it becomes the application of recordings, too.
    """

    def __init__(self, application_id: str | None = None, *, also_of_recordings: bool = False) -> None:
        from aiorerun.codec.decode_messages import StoreNames
        from aiorerun.codec.decoder import RrdDecoder

        self._decoder = RrdDecoder()
        self._parts: list[bytes] = []
        self._waiting = 0
        self._names = StoreNames()
        self._also_of_recordings = also_of_recordings
        self._application_id = None if application_id is None else normalize_application_id(application_id)

    def take(self, piece: bytes) -> tuple[list[Message], RrdError | None]:
        """The messages that are complete with this piece, and what is wrong after them, if anything is."""
        from aiorerun.codec.errors import RrdError

        self._parts.append(piece)
        self._waiting += len(piece)
        messages: list[Message] = []
        # Joined only when that leads on: a long message costs one copy, however many pieces it has.
        if self._waiting < self._decoder.needed:
            return messages, None
        view = memoryview(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        try:
            while len(view) >= self._decoder.needed:
                consumed, raw = self._decoder.step(view)
                view = view[consumed:]
                message = None if raw is None else self._message(raw)
                if message is not None:
                    messages.append(message)
        except RrdError as error:
            return messages, error
        self._parts = [bytes(view)] if view else []
        self._waiting = len(view)
        return messages, None

    def check_end(self) -> None:
        """Finds out whether the stream may end here. It needs no footer, but its messages to be complete.

        Raises:
            RrdError: There was nothing at all, or a message is cut off.
        """
        from aiorerun.codec.errors import RrdError

        if self._waiting and not self._decoder.has_ended:
            raise RrdError(f"it is cut off: its last {self._waiting} bytes are no complete message")
        if not self._decoder.offset:
            raise RrdError("it is empty")

    def _message(self, raw: RawMessage) -> Message | None:
        from aiorerun.codec.compression import MAX_BYTES
        from aiorerun.codec.decode_messages import (
            ArrowMsg,
            BlueprintActivation,
            StoreInfo,
            StoreNames,
            decode_message,
        )
        from aiorerun.codec.forward import forwarded_message
        from aiorerun.codec.framing import MessageKind
        from aiorerun.codec.messages import Message, blueprint_activation_message, store_info_message

        if raw.kind is MessageKind.END:
            # What one stream has announced says nothing about the next one.
            self._names = StoreNames()
            return None
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, StoreInfo):
            self._names.add(decoded)
            store = self._target(self._names.name(decoded.store))
            if store == decoded.store:
                payload = bytes(raw.payload)
                return Message(raw.kind, (payload,), len(payload), 0, None, store)
            return store_info_message(store, decoded.row_id, _python_version(decoded.source.extra))
        if isinstance(decoded, ArrowMsg):
            store = self._target(self._names.name(decoded.store))
            return forwarded_message(store, decoded.batch(MAX_BYTES))
        if isinstance(decoded, BlueprintActivation):
            store = self._target(self._names.name(decoded.store))
            return blueprint_activation_message(
                store, make_active=decoded.make_active, make_default=decoded.make_default
            )
        return None

    def _target(self, store: StoreId) -> StoreId:
        if self._application_id is None:
            return store
        if store.kind is not StoreKind.BLUEPRINT and not self._also_of_recordings:
            return store
        return store._replace(application_id=self._application_id)


def _python_version(extra: bytes) -> tuple[int, int, int]:
    """The version of Python in what a store was written by; zeros if it is something else."""
    from aiorerun.codec.decode_messages import message_fields, number_field
    from aiorerun.codec.errors import RrdError

    try:
        read = message_fields(memoryview(extra))
        return number_field(read, 1), number_field(read, 2), number_field(read, 3)
    except RrdError:
        return 0, 0, 0


class RrdImporter(FileImporter):
    """Recordings (``.rrd``) keep their ids; blueprints (``.rbl``) get the caller's application."""

    name: str = "RRD"
    extensions: ClassVar[frozenset[str]] = frozenset({"rrd", "rbl"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        taker = MessageTaker(settings.application_id if extension_of(path) == "rbl" else None)
        for piece in _pieces(path, contents):
            messages, error = taker.take(piece)
            if messages:
                yield ImportedMessages(messages)
            if error is not None:
                raise error
        taker.check_end()


def _pieces(path: Path, contents: bytes | None) -> Iterator[bytes]:
    if contents is not None:
        for start in range(0, len(contents), _PIECE_BYTES):
            yield contents[start : start + _PIECE_BYTES]
        return
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


class PipeImporter:
    """Named pipes, which are read as an RRD stream until nobody writes to them any more."""

    name: str = "RRD pipe"

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Imported, None]:
        """See :class:`aiorerun.importers.Importer`."""
        from aiorerun.recording.source import open_file, read_pipe_for

        taker = MessageTaker()
        with await asyncio.to_thread(open_file, path) as file:
            has_begun = False
            while True:
                # Never longer in the thread than a moment, so that cancelling leaves none behind.
                piece = await asyncio.to_thread(read_pipe_for, file, _PIECE_BYTES, 0.05)
                if piece:
                    has_begun = True
                    messages, error = await asyncio.to_thread(taker.take, piece)
                    if messages:
                        yield ImportedMessages(messages)
                    if error is not None:
                        raise error
                elif piece is not None:
                    if has_begun:
                        taker.check_end()
                        return
                    # Nobody writes to it yet.
                    await asyncio.sleep(0.05)
