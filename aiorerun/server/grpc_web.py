"""gRPC-web: the calls of the proxy over HTTP, as the web viewer makes them. Knows no connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.net.assembling import BadMessageError, MessageAssembler
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES, WRITE_TABLE
from aiorerun.server.exchange import work_until
from aiorerun.server.grpc_frames import EMPTY, Base64Decoder, encode_base64, encode_reason, trailer_frame
from aiorerun.server.pump import pump
from aiorerun.server.rpc_error import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.net.assembling import Body
    from aiorerun.net.logmsg import Framed
    from aiorerun.server.calls import Calls
    from aiorerun.server.cors import Headers, Origins
    from aiorerun.server.exchange import Exchange
    from aiorerun.server.http1 import Request
    from aiorerun.server.reader import Reader

_BINARY: Final = "application/grpc-web"
_TEXT: Final = "application/grpc-web-text"
_PROTO: Final = "+proto"


class GrpcWeb:
    """Answers requests of HTTP.

    Preflights are always answered. What comes from a page whose origin is not allowed may read all the same
    (the browser keeps the answer from the page), but not write; and what was sent to a host name that cannot
    be this server gets nothing at all.

    Args:
        calls: What the calls do.
        origins: Which pages may use the server.
        may_write: Whether anything can be written at all.
        headers: What the answers of calls say besides.
    """

    def __init__(
        self,
        calls: Calls,
        origins: Origins,
        *,
        may_write: bool = True,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._calls = calls
        self._origins = origins
        self._may_write = may_write
        self._headers = tuple(headers)

    async def answer(self, request: Request, exchange: Exchange) -> None:
        """Answers one request.

        Raises:
            ConnectionError: The peer is gone.
        """
        headers = request.headers
        if not self._origins.allows_host(headers):
            await exchange.send(403, [])
            return
        if request.method == "OPTIONS":
            await exchange.send(200, self._origins.preflight_headers(headers))
            return
        answer_headers = self._origins.answer_headers(headers)
        content_type = headers.get("content-type", "")
        if not content_type.startswith(_BINARY):
            await exchange.send(400, answer_headers)
        elif request.method != "POST":
            await exchange.send(405, answer_headers)
        elif request.path in (WRITE_MESSAGES, WRITE_TABLE) and not self._origins.may_write(headers):
            await exchange.send(403, answer_headers)
        else:
            await self._call(request, exchange, answer_headers, content_type)

    async def _call(self, request: Request, exchange: Exchange, headers: Headers, content_type: str) -> None:
        accept = request.headers.get("accept", "")
        answer_type = accept if accept.startswith(_BINARY) else content_type
        is_text = answer_type.startswith(_TEXT)
        headers += (("content-type", (_TEXT if is_text else _BINARY) + _PROTO), *self._headers)
        answer = _Answer(exchange, headers, is_text=is_text)
        data = exchange.body()
        if content_type.startswith(_TEXT):
            data = _decoded(data)
        source = _Body(data, self._calls.max_message_bytes)
        try:
            self._calls.authorization.check(request.headers.get("authorization"))
            await self._run(request.path, source, answer)
        except RpcError as error:
            await answer.fail(error)

    async def _run(self, path: str, source: _Body, answer: _Answer) -> None:
        if path == READ_MESSAGES:
            await answer.stream(await self._calls.read_messages(source))
        elif path == READ_TABLES:
            await answer.stream(await self._calls.read_tables(source))
        elif not self._may_write and path in (WRITE_MESSAGES, WRITE_TABLE):
            raise RpcError(Code.UNIMPLEMENTED, "nothing can be written here")
        elif path == WRITE_MESSAGES:
            await self._calls.write_messages(source)
            await answer.finish_empty()
        elif path == WRITE_TABLE:
            await self._calls.write_table(source)
            await answer.finish_empty()
        else:
            raise RpcError(Code.UNIMPLEMENTED, "there is no such method")


class _Answer:
    """The answer to one call."""

    def __init__(self, exchange: Exchange, headers: Headers, *, is_text: bool) -> None:
        self._exchange = exchange
        self._headers = headers
        self._is_text = is_text

    async def fail(self, error: RpcError) -> None:
        """Gives a status: as headers as long as there is nothing else, otherwise at the end."""
        if self._exchange.is_started:
            await self._end(error.code, error.reason)
            return
        status = [
            ("grpc-status", str(int(error.code))),
            ("grpc-message", encode_reason(error.reason)),
        ]
        await self._exchange.send(200, [*self._headers, *status])

    async def finish_empty(self) -> None:
        """One empty message: what writers are answered."""
        await self._exchange.start(200, self._headers)
        await self._write((EMPTY,), len(EMPTY))
        await self._end(Code.OK)

    async def stream(self, reader: Reader) -> None:
        """Sends what a reader gets, for as long as the peer stays."""
        try:
            reader.progress = lambda: self._exchange.bytes_written
            await self._exchange.start(200, self._headers)
            carrying = pump(reader, self._write_messages, self._refuse)
            await work_until(carrying, self._exchange.disconnected())
        finally:
            reader.close()
        if not reader.dropped.done():
            await self._end(Code.OK)

    async def _write_messages(self, messages: Sequence[Framed]) -> None:
        if self._is_text:
            for message in messages:
                await self._write(message.segments, message.nbytes)
            return
        segments = [segment for message in messages for segment in message.segments]
        await self._write(segments, sum(message.nbytes for message in messages))

    async def _refuse(self, error: RpcError) -> None:
        """Tells a peer that it is too slow, unless it is in the middle of a piece that it does not take."""
        if self._exchange.is_writing:
            self._exchange.abort()
        else:
            await self._end(error.code, error.reason)

    async def _end(self, code: Code, reason: str = "") -> None:
        frame = trailer_frame(code, reason)
        await self._write((frame,), len(frame))
        await self._exchange.end()

    async def _write(self, segments: Sequence[Segment], nbytes: int) -> None:
        if self._is_text:
            encoded = encode_base64(segments)
            segments, nbytes = (encoded,), len(encoded)
        await self._exchange.write(segments, nbytes)


class _Body:
    """The messages in the body of a request."""

    def __init__(self, data: AsyncIterator[bytes], max_body: int) -> None:
        self._data = data
        self._assembler = MessageAssembler(max_body)
        self._error: BadMessageError | None = None

    async def read(self) -> list[Body]:
        """Waits for messages; none at all at the end.

        Raises:
            BadMessageError: There is something else.
        """
        assembler = self._assembler
        while not assembler.bodies and self._error is None:
            piece = await anext(self._data, None)
            if piece is None:
                if not assembler.is_between:
                    raise BadMessageError("INTERNAL", "the body ends in the middle of a message")
                return []
            try:
                assembler.feed(piece, 0, len(piece))
            except BadMessageError as error:
                self._error = error
        if self._error is not None and not assembler.bodies:
            raise self._error
        return self.take()

    def take(self) -> list[Body]:
        """The messages that are there already."""
        bodies, self._assembler.bodies = self._assembler.bodies, []
        return bodies


async def _decoded(data: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    decoder = Base64Decoder()
    async for piece in data:
        yield decoder.feed(piece)
    decoder.finish()
