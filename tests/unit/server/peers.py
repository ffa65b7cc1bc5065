"""Peers of the server for tests: messages, gRPC clients, raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
from grpclib.client import Channel, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

import aiorerun as rr
from aiorerun.codec.protobuf import bytes_field, fixed64_field, varint, varint_field
from aiorerun.net.logmsg import PREFIX, frame, frame_body
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES, WRITE_TABLE, RawCodec
from aiorerun.server.entries import Entry, Queue
from aiorerun.server.server import ProxyServer
from aiorerun.sinks.memory import MemorySink

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from typing import Self

    from grpclib.client import Stream

TIMEOUT = 20.0


def store_id(*, blueprint: bool = False, name: str = "rec") -> bytes:
    """A ``StoreId``."""
    kind = 2 if blueprint else 1
    return varint_field(1, kind) + bytes_field(2, name.encode()) + bytes_field(3, bytes_field(1, b"app"))


def request(kind: int, payload: bytes) -> bytes:
    """A ``WriteMessagesRequest`` around the payload of a record."""
    return bytes_field(1, bytes_field(kind, payload))


def arrow_msg(
    content: bytes,
    *,
    static: bool = False,
    blueprint: bool = False,
    chunk: int = 0,
    name: str = "rec",
    lz4: bool = False,
) -> bytes:
    """A request with a chunk, whose content the server does not look at."""
    data = pa.compress(content, codec="lz4_raw", asbytes=True) if lz4 else content
    payload = (
        bytes_field(1, store_id(blueprint=blueprint, name=name))
        + varint_field(2, 2 if lz4 else 1)
        + varint_field(3, len(content))
        + varint_field(4, 1)
        + bytes_field(5, data)
        + bytes_field(6, fixed64_field(1, chunk) + fixed64_field(2, 1))
        + bytes((7 << 3,))
        + varint(int(static))
    )
    return request(2, payload)


def store_info(number: int = 0, *, name: str = "rec") -> bytes:
    """A request that announces a store; about 74 bytes."""
    row_id = fixed64_field(1, number) + fixed64_field(2, 0)
    source = varint_field(1, 2) + bytes_field(2, bytes_field(1, varint_field(1, 3) + varint_field(2, 11)))
    info = (
        bytes_field(2, store_id(name=name)) + bytes_field(5, source) + bytes_field(6, varint_field(1, 10496))
    )
    return request(1, bytes_field(1, row_id) + bytes_field(2, info))


def activation() -> bytes:
    """A request that puts a blueprint to use."""
    return request(3, bytes_field(1, store_id(blueprint=True)) + varint_field(2, 1) + varint_field(3, 1))


def table(name: str, content: bytes = b"ipc") -> bytes:
    """A ``WriteTableRequest``."""
    return bytes_field(1, bytes_field(1, name.encode())) + bytes_field(
        2, varint_field(1, 1) + bytes_field(2, content)
    )


def static_chunk(
    path: str,
    row: int,
    columns: dict[str, list[Any]],
    *,
    name: str = "rec",
    lz4: bool = False,
    row_ids: Any = None,
) -> bytes:
    """A request with a real static chunk of one row per value; their ids are counted up unless given."""
    rows = len(next(iter(columns.values())))
    ids = [(row + number).to_bytes(16, "big") for number in range(rows)]
    row_ids = pa.array(ids, pa.binary(16)) if row_ids is None else row_ids
    fields = [
        pa.field("rerun.controls.RowId", row_ids.type, metadata={"rerun:kind": "control"}),
        *(pa.field(column, pa.list_(pa.binary()), metadata={"rerun:kind": "data"}) for column in columns),
    ]
    schema = pa.schema(fields, metadata={"rerun:entity_path": path, "rerun:id": f"{row:032X}"})
    arrays = [row_ids]
    arrays += [
        pa.array([v if v is None else [v] for v in c], pa.list_(pa.binary())) for c in columns.values()
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return arrow_msg(sink.getvalue().to_pybytes(), static=True, chunk=row, name=name, lz4=lz4)


async def real_bodies(count: int) -> list[bytes]:
    """Requests with a recording of so many rows, each a chunk, as this SDK encodes them."""
    memory = MemorySink()
    async with rr.AsyncRecordingStream("app", recording_id="real") as rec:
        await rec.set_sinks(memory)
        for number in range(count):
            rec.set_time("frame", sequence=number)
            await rec.log("logs", rr.TextLog(f"number {number}"))
            await rec.flush()
        messages = memory.take_messages()
    return [b"".join(map(bytes, frame(message).segments))[PREFIX.size :] for message in messages]


def entry(queue: Queue = Queue.DISPOSABLE, size: int = 100, mark: bytes = b"") -> Entry:
    """An entry of so many bytes in all."""
    made = Entry(frame_body(mark), queue)
    made.size = size
    return made


def mark_of(made: Entry) -> bytes:
    """What :func:`entry` was given."""
    return b"".join(map(bytes, made.framed.segments))[PREFIX.size :]


class Client:
    """A gRPC client, made with grpclib alone."""

    def __init__(self, port: int, *, token: str | None = None, ssl: ssl.SSLContext | None = None) -> None:
        self.channel = Channel("127.0.0.1", port, codec=cast("Any", RawCodec()), ssl=ssl)
        self.metadata = {} if token is None else {"authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.channel.close()
        # The transport closes in a callback.
        await asyncio.sleep(0)

    async def write(self, bodies: Iterable[bytes]) -> bytes | None:
        """Calls ``WriteMessages``, with many messages in one piece."""
        method = StreamUnaryMethod(self.channel, WRITE_MESSAGES, bytes, bytes)
        async with asyncio.timeout(TIMEOUT), method.open(metadata=self.metadata) as stream:
            await stream.send_request()
            joined = b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)
            if joined:
                await stream._stream.send_data(joined)
                stream._send_message_done = True
            await stream.end()
            answer: bytes | None = await stream.recv_message()
            return answer

    async def write_raw(self, data: bytes, path: str = WRITE_MESSAGES) -> bytes | None:
        """Calls with these bytes, whatever they are."""
        method = StreamUnaryMethod(self.channel, path, bytes, bytes)
        async with asyncio.timeout(TIMEOUT), method.open(metadata=self.metadata) as stream:
            await stream.send_request()
            await stream._stream.send_data(data)
            await stream.end()
            answer: bytes | None = await stream.recv_message()
            return answer

    async def write_table(self, body: bytes) -> bytes:
        """Calls ``WriteTable``."""
        async with asyncio.timeout(TIMEOUT):
            answer: bytes = await UnaryUnaryMethod(self.channel, WRITE_TABLE, bytes, bytes)(
                body, metadata=self.metadata
            )
            return answer

    @contextlib.asynccontextmanager
    async def reading(self, path: str = READ_MESSAGES) -> AsyncGenerator[Stream[bytes, bytes]]:
        """Calls ``ReadMessages`` and has the headers of the answer."""
        method = UnaryStreamMethod(self.channel, path, bytes, bytes)
        async with method.open(metadata=self.metadata) as stream:
            await stream.send_request()
            await stream.send_message(b"", end=True)
            async with asyncio.timeout(TIMEOUT):
                await stream.recv_initial_metadata()
            try:
                yield stream
            finally:
                with contextlib.suppress(Exception):
                    await stream.cancel()

    async def read(self, count: int, path: str = READ_MESSAGES) -> list[bytes]:
        """The first messages that a new reader gets."""
        async with self.reading(path) as stream, asyncio.timeout(TIMEOUT):
            return await take(stream, count)

    async def read_tables(self, count: int) -> list[bytes]:
        """The first tables that a new reader gets."""
        return await self.read(count, READ_TABLES)


async def take(stream: Stream[bytes, bytes], count: int) -> list[bytes]:
    """So many messages."""
    messages: list[bytes] = []
    async with asyncio.timeout(TIMEOUT):
        while len(messages) < count:
            message = await stream.recv_message()
            assert message is not None, f"the stream ended after {len(messages)} messages"
            messages.append(message)
    return messages


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[tuple[ProxyServer, int]]:
    """A server on a free port of this machine."""
    server = ProxyServer(port=0, **options)
    await server.start()
    try:
        yield server, int(server.uri.removesuffix("/proxy").rpartition(":")[2])
    finally:
        await server.close()


async def until(condition: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def http(port: int, data: bytes, *, half_close: bool = False, timeout: float = TIMEOUT) -> bytes:
    """Sends bytes and returns all that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(timeout):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def http_request(
    method: str = "POST",
    path: str = READ_MESSAGES,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    host: str = "127.0.0.1:9876",
    close: bool = True,
) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    if close:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def parse_answer(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an HTTP/1.1 answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunk(body)
    return int(first.split()[1]), headers, body


def unchunk(data: bytes) -> bytes:
    """The content of chunks, as far as it is there."""
    content = b""
    while data:
        size, separator, data = data.partition(b"\r\n")
        if not separator:
            break
        content += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return content


def random_bytes(size: int) -> bytes:
    """Bytes that nothing compresses."""
    return os.urandom(size)


def write_request(bodies: Iterable[bytes], *, is_complete: bool) -> bytes:
    """All that a writer sends on a fresh connection, in one piece."""
    h2 = H2Connection(H2Configuration(client_side=True))
    h2.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", WRITE_MESSAGES),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    h2.send_headers(1, headers)
    joined = b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)
    h2.send_data(1, joined, end_stream=is_complete)
    data: bytes = h2.data_to_send()
    return data


def greedy_request() -> bytes:
    """What a reader sends that allows everything to be sent to it at once."""
    h2 = H2Connection(H2Configuration(client_side=True))
    h2.initiate_connection()
    h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
    h2.increment_flow_control_window((1 << 31) - (1 << 17))
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", READ_MESSAGES),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    h2.send_headers(1, headers)
    h2.send_data(1, bytes(5), end_stream=True)
    data: bytes = h2.data_to_send()
    return data
