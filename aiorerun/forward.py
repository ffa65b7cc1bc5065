"""Sending chunks that exist already: of a loaded recording, or of the official SDK.

They go to a stream with the stream's application and recording id, and keep their own chunk and row ids.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

from aiorerun.engine.cargo import Ready
from aiorerun.engine.room import PACE_BYTES
from aiorerun.errors import StreamClosedError, report
from aiorerun.pipeline.capture import CLOSED, FULL, UNOPENED
from aiorerun.sinks.parcel import rank_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator

    import pyarrow as pa

    from aiorerun.codec.messages import Message
    from aiorerun.stream_base import BaseRecordingStream
    from aiorerun.types.store import StoreId

T = TypeVar("T")

_GROUP_BYTES: Final = 1 << 20
_GROUP_CHUNKS: Final = 256
_OVERHEAD: Final = 1024
"""About what a chunk costs besides its columns."""


@runtime_checkable
class ChunkLike(Protocol):
    """Anything that is a chunk: it gives the record batch of one. The official SDK's chunks do, and ours."""

    def to_record_batch(self) -> Any:
        """The ``pyarrow.RecordBatch`` with the metadata of a chunk."""
        ...


class HasChunks(Protocol):
    """Anything that has chunks, such as a loaded recording."""

    def chunks(self) -> Any:
        """The chunks."""
        ...


class HasStream(Protocol):
    """What the official SDK's stores and readers look like."""

    def stream(self) -> Any:
        """The chunks."""
        ...


class RecordBatchLike(Protocol):
    """A ``pyarrow.RecordBatch``, which type checkers know nothing of."""

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        ...

    @property
    def schema(self) -> Any:
        """Its columns and metadata."""
        ...


if TYPE_CHECKING:
    OneChunk: TypeAlias = ChunkLike | RecordBatchLike
    ChunksLike: TypeAlias = OneChunk | Iterable[OneChunk] | HasChunks | HasStream
    AsyncChunksLike: TypeAlias = ChunksLike | AsyncIterable[OneChunk]


class _Offer(NamedTuple):
    """A chunk that is to be sent, read and checked."""

    batch: pa.RecordBatch
    cost: int
    rank: int


class _WrongChunkError(Exception):
    """Something in what was given to be sent is no chunk; the cause says what."""


async def send_async(stream: BaseRecordingStream, name: str, chunks: Any) -> None:
    """Sends chunks from a coroutine; ``name`` is the function that was called."""
    try:
        async with aclosing(_offers(chunks)) as offers:
            async for offer in offers:
                if not await admit(stream, name, _ready(stream._store, offer)):
                    return
    except _WrongChunkError as error:
        report(name, _cause(error), recording=stream)


def send_blocking(stream: BaseRecordingStream, name: str, chunks: Any) -> None:
    """Sends chunks from a thread; ``name`` is the function that was called."""
    try:
        for offer in map(_offer, _iterator(chunks)):
            if not _admit_blocking(stream, name, _ready(stream._store, offer)):
                return
    except _WrongChunkError as error:
        report(name, _cause(error), recording=stream)


def _cause(error: _WrongChunkError) -> Exception:
    cause = error.__cause__
    assert isinstance(cause, Exception)
    return cause


def check_recording(recording: object) -> None:
    """Checks the argument of ``send_recording``.

    Raises:
        TypeError: It is something else.
        ValueError: It is a blueprint.
    """
    from aiorerun.recording.base import BaseRecording
    from aiorerun.types.store import StoreKind

    if not isinstance(recording, BaseRecording):
        raise TypeError(
            f"send_recording: expected a recording from load_recording(), got {type(recording).__name__}; "
            "use send_chunks() for chunks"
        )
    if recording.kind is StoreKind.BLUEPRINT:
        raise ValueError("send_recording: this is a blueprint, which cannot become part of a recording")


# --- what is sent -----------------------------------------------------------------------------------


def _chunks_of(chunks: Any) -> Any:
    """A list of one chunk, an iterable, or an async iterable."""
    if _is_chunk(chunks):
        return [chunks]
    for name in ("chunks", "stream"):
        method = getattr(chunks, name, None)
        if callable(method):
            return method()
    return chunks


def _is_chunk(item: object) -> bool:
    import pyarrow as pa

    return isinstance(item, pa.RecordBatch | ChunkLike)


def _offer(item: Any) -> _Offer:
    """Reads a chunk, if it is not read yet, and checks it."""
    import pyarrow as pa

    from aiorerun.codec.chunk_facts import chunk_facts
    from aiorerun.codec.errors import RrdError
    from aiorerun.recording.chunk import Chunk

    if isinstance(item, Chunk):
        # What is wrong with the file it comes from is raised as it is.
        batch = item.to_record_batch()
        rank = rank_of(item.entity_path, is_static=item.is_static)
        return _Offer(batch, batch.nbytes + _OVERHEAD, rank)
    try:
        batch = item if isinstance(item, pa.RecordBatch) else item.to_record_batch()
        facts = chunk_facts(batch)
    except RrdError as error:
        raise _WrongChunkError from ValueError(f"this record batch is no chunk: {error}")
    except AttributeError:
        raise _WrongChunkError from TypeError(
            f"expected chunks, or record batches of chunks, got {type(item).__name__}"
        )
    rank = rank_of(facts.entity_path, is_static=not facts.indexes)
    return _Offer(batch, batch.nbytes + _OVERHEAD, rank)


def _iterator(chunks: Any) -> Iterator[Any]:
    source = _chunks_of(chunks)
    try:
        return iter(source)
    except TypeError:
        hint = "; it is asynchronous, use the asyncio API" if hasattr(source, "__aiter__") else ""
        raise _WrongChunkError from TypeError(
            f"expected chunks: one, an iterable of them, or a recording, got {type(chunks).__name__}{hint}"
        )


async def _offers(chunks: Any) -> AsyncGenerator[_Offer, None]:
    """The chunks one by one; whatever may block happens in a thread."""
    from aiorerun.recording.chunk import Chunk

    source = _chunks_of(chunks)
    if hasattr(source, "__aiter__"):
        try:
            async for item in source:
                yield _offer(item)
        finally:
            if source is not chunks and hasattr(source, "aclose"):
                # Begun here, so ended here: what a user began may go on.
                await source.aclose()
        return
    if isinstance(source, list | tuple) and all(
        not isinstance(item, Chunk) or item.is_read for item in source
    ):
        for item in source:
            yield _offer(item)
        return
    iterator = await asyncio.to_thread(_iterator, source)
    has_more = True
    while has_more:
        group, has_more, error = await asyncio.to_thread(_next_group, iterator)
        for offer in group:
            yield offer
        if error is not None:
            raise error


def _next_group(iterator: Iterator[Any]) -> tuple[list[_Offer], bool, Exception | None]:
    """The next chunks, about a mebibyte; whether there may be more; and what went wrong after them."""
    group: list[_Offer] = []
    size = 0
    try:
        for item in iterator:
            offer = _offer(item)
            group.append(offer)
            size += offer.cost
            if size >= _GROUP_BYTES or len(group) >= _GROUP_CHUNKS:
                return group, True, None
    except Exception as error:
        return group, False, error
    return group, False, None


# --- into the stream --------------------------------------------------------------------------------


async def admit(stream: BaseRecordingStream, name: str, ready: Ready) -> bool:
    """Pushes what is ready when there is room, or counts it as refused.

    Returns:
        Whether it makes sense to go on: not where the stream is closed or disabled.
    """
    room = stream._engine.room
    gate = stream._capture.gate
    if gate == FULL:
        if await room.wait_for_room():
            _push(stream, ready)
            room.admit_next()
        else:
            room.refuse(rows=ready.rows)
        return True
    if gate == UNOPENED:
        await stream._force_save()
    elif gate:
        _report_gate(stream, name, gate)
        return False
    _push(stream, ready)
    if room.ledger.in_flight > PACE_BYTES:
        await room.pace()
    return True


def _admit_blocking(stream: BaseRecordingStream, name: str, ready: Ready) -> bool:
    room = stream._engine.room
    gate = stream._capture.gate
    if gate == FULL:
        if room.wait_for_room_blocking():
            _push(stream, ready)
            room.admit_next()
        else:
            room.refuse(rows=ready.rows)
        return True
    if gate:
        _report_gate(stream, name, gate)
        return False
    _push(stream, ready)
    if room.ledger.in_flight > PACE_BYTES:
        room.pace_blocking()
    return True


def _report_gate(stream: BaseRecordingStream, name: str, gate: int) -> None:
    if gate == CLOSED:
        closed = StreamClosedError(f"{stream!r} is closed; make a new stream to send more")
        report(name, closed, recording=stream)


def _push(stream: BaseRecordingStream, ready: Ready) -> None:
    stream._capture.count_ready_rows(ready.rows)
    stream._engine.push(ready)


def _ready(store: StoreId, offer: _Offer) -> Ready:
    return Ready(partial(_messages, store, offer.batch), offer.batch.num_rows, offer.cost, offer.rank)


def _messages(store: StoreId, batch: pa.RecordBatch) -> list[Message]:
    from aiorerun.codec.forward import forwarded_message

    return [forwarded_message(store, batch)]
