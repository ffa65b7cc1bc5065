"""The proxy over HTTP/2: handlers for grpclib that pass raw bytes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.exceptions import H2Error

from aiorerun.net.frames import MessageWriter
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES, WRITE_TABLE
from aiorerun.net.reading import MessageReader
from aiorerun.server.pump import pump
from aiorerun.server.rpc_error import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from grpclib.server import Stream

    from aiorerun.server.calls import Calls, Source
    from aiorerun.server.reader import Reader

logger = logging.getLogger("aiorerun")

_REFUSAL_SECS: Final = 1.0
"""So long to get the status of a reader that is too slow into its connection; otherwise that is cut."""

_GONE: Final = (ConnectionError, StreamTerminatedError, H2Error)


class ProxyService:
    """What grpclib serves on each HTTP/2 connection.

    Args:
        calls: What the calls do.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._writers: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    def __mapping__(self) -> dict[str, Handler]:
        """The calls by their paths, as grpclib wants them."""
        unknown = Handler(_refuse_unknown, Cardinality.STREAM_STREAM, bytes, bytes)
        known = {
            WRITE_MESSAGES: Handler(self._write_messages, Cardinality.STREAM_UNARY, bytes, bytes),
            READ_MESSAGES: Handler(self._read_messages, Cardinality.UNARY_STREAM, bytes, bytes),
            WRITE_TABLE: Handler(self._write_table, Cardinality.UNARY_UNARY, bytes, bytes),
            READ_TABLES: Handler(self._read_tables, Cardinality.UNARY_STREAM, bytes, bytes),
        }
        return _Methods(known, unknown)

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """The calls that are going on."""
        return set(self._tasks)

    def refuse_writers(self) -> None:
        """Ends all writers with UNAVAILABLE: what they sent so far is kept."""
        self._is_closing = True
        for task in self._writers:
            task.cancel()

    async def _write_messages(self, stream: Stream[bytes, bytes]) -> None:
        await self._write(stream, self._calls.write_messages)

    async def _write_table(self, stream: Stream[bytes, bytes]) -> None:
        await self._write(stream, self._calls.write_table)

    async def _read_messages(self, stream: Stream[bytes, bytes]) -> None:
        await self._read(stream, self._calls.read_messages)

    async def _read_tables(self, stream: Stream[bytes, bytes]) -> None:
        await self._read(stream, self._calls.read_tables)

    async def _write(self, stream: Stream[bytes, bytes], write: Callable[[Source], Awaitable[None]]) -> None:
        with self._tracked(is_writer=True):
            try:
                self._authorize(stream)
                await write(self._source(stream))
                await stream.send_message(b"")
            except RpcError as error:
                raise _grpc_error(error) from None
            except _GONE as error:
                logger.debug("a writer is gone: %s", error)
            except asyncio.CancelledError:
                # There is nobody to tell when the client is gone as well.
                if not self._is_closing or _is_gone(stream):
                    raise
                raise GRPCError(Status.UNAVAILABLE, "the server is closing") from None

    async def _read(self, stream: Stream[bytes, bytes], read: Callable[[Source], Awaitable[Reader]]) -> None:
        with self._tracked(is_writer=False):
            try:
                self._authorize(stream)
                reader = await read(self._source(stream))
            except RpcError as error:
                raise _grpc_error(error) from None
            except _GONE as error:
                logger.debug("a reader is gone: %s", error)
                return
            try:
                # At once: readers wait for it, even if there is nothing to read yet.
                await stream.send_initial_metadata()
                writer = MessageWriter(stream)
                reader.progress = lambda: writer.bytes_written
                await pump(reader, writer.write, lambda error: _refuse(stream, error))
            except _GONE as error:
                logger.debug("a reader is gone: %s", error)
            finally:
                reader.close()

    def _source(self, stream: Stream[bytes, bytes]) -> MessageReader:
        return MessageReader(stream, max_body=self._calls.max_message_bytes)

    @contextlib.contextmanager
    def _tracked(self, *, is_writer: bool) -> Generator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if is_writer:
            self._writers.add(task)
        try:
            yield
        finally:
            self._writers.discard(task)
            self._tasks.discard(task)

    def _authorize(self, stream: Stream[bytes, bytes]) -> None:
        header = None if stream.metadata is None else stream.metadata.get("authorization")
        self._calls.authorization.check(header if isinstance(header, str) else None)


class _Methods(dict[str, Handler]):
    """Has a handler for every path: what grpclib itself answers to unknown ones is no gRPC."""

    def __init__(self, known: dict[str, Handler], unknown: Handler) -> None:
        super().__init__(known)
        self._unknown = unknown

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, self._unknown)


async def _refuse_unknown(_stream: Stream[bytes, bytes]) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, "there is no such method")


def _grpc_error(error: RpcError) -> GRPCError:
    return GRPCError(Status(int(error.code)), error.reason)


async def _refuse(stream: Stream[bytes, bytes], error: RpcError) -> None:
    """Ends a call whose peer does not read: with its status, or by cutting the connection."""
    assert error.code is not Code.OK
    try:
        async with asyncio.timeout(_REFUSAL_SECS):
            # Not subject to the windows of the peer, as data is; but to room in the buffer of the transport.
            await stream.send_trailing_metadata(status=Status(int(error.code)), status_message=error.reason)
    except (TimeoutError, *_GONE):
        _abort(stream)


def _abort(stream: Stream[bytes, bytes]) -> None:
    transport = _transport(stream)
    if transport is not None:
        transport.abort()


def _is_gone(stream: Stream[bytes, bytes]) -> bool:
    transport = _transport(stream)
    return transport is not None and transport.is_closing()


def _transport(stream: Stream[bytes, bytes]) -> Any:
    return getattr(getattr(stream, "_stream", None), "_transport", None)
