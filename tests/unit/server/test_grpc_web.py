"""gRPC-web over HTTP/1.1."""

from __future__ import annotations

import asyncio
import base64
import contextlib

import pytest

from aiorerun.net.logmsg import PREFIX
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES, WRITE_TABLE
from aiorerun.server.grpc_frames import trailer_frame
from aiorerun.server.rpc_error import Code
from tests.unit.server.peers import (
    TIMEOUT,
    Client,
    arrow_msg,
    http,
    http_request,
    parse_answer,
    random_bytes,
    serving,
    store_info,
    table,
    unchunk,
    until,
)

WEB = ("content-type", "application/grpc-web+proto")
TEXT = ("content-type", "application/grpc-web-text")
ORIGIN = ("origin", "http://localhost:9090")
EVIL = ("origin", "https://evil.com")
OK = bytes.fromhex("800000000f") + b"grpc-status:0\r\n"


def _framed(*bodies: bytes) -> bytes:
    return b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)


@contextlib.asynccontextmanager
async def _connected(port: int):  # type: ignore[no-untyped-def]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read_until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    data = b""
    async with asyncio.timeout(TIMEOUT):
        while not data.endswith(end):
            piece = await reader.read(65536)
            assert piece, data[-200:]
            data += piece
    return data


async def test_check_12_writing_and_reading() -> None:
    bodies = [store_info(), arrow_msg(b"1"), arrow_msg(random_bytes(1 << 20))]
    async with serving() as (server, port):
        answer = await http(
            port, http_request(path=WRITE_MESSAGES, headers=[WEB, ORIGIN], body=_framed(*bodies))
        )
        status, headers, body = parse_answer(answer)
        assert (status, body) == (200, _framed(b"") + OK)
        assert headers["content-type"] == "application/grpc-web+proto"
        assert headers["transfer-encoding"] == "chunked"
        assert headers["access-control-allow-origin"] == "http://localhost:9090"
        reading = asyncio.create_task(http(port, http_request(headers=[WEB], body=_framed(b""))))
        await until(lambda: server.hub.num_readers == 1)
        await server.close()
        status, headers, body = parse_answer(await reading)
        assert (status, body) == (200, _framed(*bodies) + OK)


async def test_check_12_other_requests_have_their_status() -> None:
    async with serving() as (_, port):
        for method, headers, expected in [
            ("POST", [("content-type", "application/grpc")], 400),
            ("POST", [], 400),
            ("GET", [], 400),
            ("GET", [WEB], 405),
            ("PUT", [WEB], 405),
        ]:
            status, answered, body = parse_answer(await http(port, http_request(method, headers=headers)))
            assert (status, body) == (expected, b"")
            assert answered["content-length"] == "0"


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost:1", True),
        ("https://rerun.io", True),
        ("https://app.rerun.io", False),
        ("null", False),
        ("https://x.example.com", True),
    ],
)
async def test_check_11_preflight(origin: str, is_allowed: bool) -> None:
    async with serving(cors_allow_origin="https://*.example.com") as (_, port):
        asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ]
        status, headers, body = parse_answer(await http(port, http_request("OPTIONS", headers=asked)))
        assert (status, body) == (200, b"")
        assert headers.get("access-control-allow-origin") == (origin if is_allowed else None)
        assert headers["access-control-allow-methods"] == "POST"
        assert headers["access-control-allow-headers"] == "content-type,x-grpc-web"
        assert headers["access-control-allow-credentials"] == "true"


async def test_readers_get_what_comes() -> None:
    async with serving() as (_, port), Client(port) as client, _connected(port) as (reader, writer):
        writer.write(http_request(headers=[WEB, ORIGIN], body=_framed(b""), close=False))
        head = await _read_until(reader, b"\r\n\r\n")
        # At once, before there is anything to read.
        assert head.startswith(b"HTTP/1.1 200")
        await client.write([store_info(1)])
        data = await _read_until(reader, _framed(store_info(1)) + b"\r\n")
        await client.write([store_info(2)])
        data += await _read_until(reader, _framed(store_info(2)) + b"\r\n")
        assert unchunk(data) == _framed(store_info(1), store_info(2))


async def test_the_text_variant() -> None:
    bodies = [store_info(1), store_info(22), arrow_msg(b"x" * 100)]
    text = b"".join(base64.b64encode(_framed(body)) for body in bodies)
    async with serving() as (server, port):
        answer = await http(port, http_request(path=WRITE_MESSAGES, headers=[TEXT], body=text))
        _, headers, body = parse_answer(answer)
        assert headers["content-type"] == "application/grpc-web-text+proto"
        assert body == base64.b64encode(_framed(b"")) + base64.b64encode(OK)
        asked = http_request(headers=[TEXT], body=base64.b64encode(_framed(b"")))
        reading = asyncio.create_task(http(port, asked))
        await until(lambda: server.hub.num_readers == 1)
        await server.close()
        _, _, body = parse_answer(await reading)
        assert body == text + base64.b64encode(OK)


async def test_what_the_answer_looks_like_is_up_to_accept() -> None:
    headers = [WEB, ("accept", "application/grpc-web-text")]
    async with serving() as (_, port):
        answer = await http(
            port, http_request(path=WRITE_MESSAGES, headers=headers, body=_framed(store_info()))
        )
        assert parse_answer(answer)[2] == base64.b64encode(_framed(b"")) + base64.b64encode(OK)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/a.B/Nothing", _framed(b""), Code.UNIMPLEMENTED),
        (WRITE_MESSAGES, _framed(b""), Code.INVALID_ARGUMENT),
        (WRITE_MESSAGES, _framed(b"\xff"), Code.INTERNAL),
        (WRITE_MESSAGES, b"\0\0\0\0\x09abc", Code.INTERNAL),
        (WRITE_MESSAGES, PREFIX.pack(0, 5000), Code.RESOURCE_EXHAUSTED),
        (READ_MESSAGES, b"", Code.INTERNAL),
        (WRITE_TABLE, _framed(b"abc"), Code.INTERNAL),
        (WRITE_TABLE, _framed(table("a")[5:]), Code.INVALID_ARGUMENT),
    ],
)
async def test_errors_before_any_message_are_headers(path: str, body: bytes, code: Code) -> None:
    async with serving(max_message_bytes=1000) as (_, port):
        answer = await http(port, http_request(path=path, headers=[WEB, ORIGIN], body=body))
        status, headers, content = parse_answer(answer)
        assert (status, content) == (200, b"")
        assert headers["grpc-status"] == str(int(code))
        assert headers["grpc-message"]
        assert headers["content-length"] == "0"
        assert "grpc-status" in headers["access-control-expose-headers"]


async def test_tables() -> None:
    async with serving() as (server, port):
        asked = http_request(path=WRITE_TABLE, headers=[WEB], body=_framed(table("a")))
        assert parse_answer(await http(port, asked))[2] == _framed(b"") + OK
        reading = asyncio.create_task(
            http(port, http_request(path=READ_TABLES, headers=[WEB], body=_framed(b"")))
        )
        await until(lambda: server.hub.num_readers == 1)
        await server.close()
        assert parse_answer(await reading)[2] == _framed(table("a")) + OK


async def test_tokens() -> None:
    async with serving(token="s3cret") as (server, port):
        for extra in ([], [("authorization", "Bearer wrong")]):
            asked = http_request(path=WRITE_MESSAGES, headers=[WEB, *extra], body=_framed(store_info()))
            _, headers, _ = parse_answer(await http(port, asked))
            assert headers["grpc-status"] == str(int(Code.UNAUTHENTICATED))
        asked = http_request("OPTIONS", headers=[ORIGIN])
        assert parse_answer(await http(port, asked))[0] == 200
        headers_with_token = [WEB, ("authorization", "Bearer s3cret")]
        asked = http_request(path=WRITE_MESSAGES, headers=headers_with_token, body=_framed(store_info()))
        assert parse_answer(await http(port, asked))[2] == _framed(b"") + OK
        assert len(server.hub.history) == 1


async def test_pages_that_are_not_allowed_may_read_but_not_write() -> None:
    async with serving() as (server, port):
        for path, body in ((WRITE_MESSAGES, store_info()), (WRITE_TABLE, table("a"))):
            asked = http_request(path=path, headers=[WEB, EVIL], body=_framed(body))
            assert parse_answer(await http(port, asked))[0] == 403
        assert len(server.hub.history) == 0
        reading = asyncio.create_task(http(port, http_request(headers=[WEB, EVIL], body=_framed(b""))))
        await until(lambda: server.hub.num_readers == 1)
        await server.close()
        status, headers, body = parse_answer(await reading)
        assert (status, body) == (200, OK)
        assert "access-control-allow-origin" not in headers


async def test_names_that_others_made_point_here_get_nothing() -> None:
    async with serving() as (_, port):
        for method in ("POST", "OPTIONS"):
            asked = http_request(method, headers=[WEB, ORIGIN], body=_framed(b""), host="evil.com:9876")
            status, headers, body = parse_answer(await http(port, asked))
            assert (status, body) == (403, b"")
            assert "access-control-allow-origin" not in headers
    async with serving(token="s3cret") as (_, port):
        asked = http_request("OPTIONS", headers=[ORIGIN], host="evil.com:9876")
        assert parse_answer(await http(port, asked))[0] == 200


async def test_a_connection_takes_one_request_after_the_other() -> None:
    async with serving() as (server, port), _connected(port) as (reader, writer):
        for number in range(3):
            body = _framed(store_info(number))
            writer.write(http_request(path=WRITE_MESSAGES, headers=[WEB], body=body, close=False))
            await _read_until(reader, b"0\r\n\r\n")
            writer.write(http_request("OPTIONS", headers=[ORIGIN], close=False))
            await _read_until(reader, b"\r\n\r\n")
            # The body of a refused request is skipped.
            writer.write(http_request(headers=[], body=b"x" * 1000, close=False))
            assert (await _read_until(reader, b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert len(server.hub.history) == 3


async def test_bodies_in_chunks_and_those_that_are_asked_for() -> None:
    body = _framed(store_info())
    async with serving() as (server, port), _connected(port) as (reader, writer):
        head = http_request(path=WRITE_MESSAGES, headers=[WEB, ("expect", "100-continue")], close=False)
        writer.write(head.replace(b"content-length: 0", b"transfer-encoding: chunked"))
        assert (await _read_until(reader, b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        for byte in body:
            writer.write(b"1\r\n" + bytes((byte,)) + b"\r\n")
        writer.write(b"0\r\n\r\n")
        assert OK in await _read_until(reader, b"0\r\n\r\n")
        assert len(server.hub.history) == 1


async def test_a_reader_that_leaves_is_forgotten() -> None:
    async with serving() as (server, port):
        async with _connected(port) as (reader, writer):
            writer.write(http_request(headers=[WEB], body=_framed(b""), close=False))
            await _read_until(reader, b"\r\n\r\n")
            assert server.hub.num_readers == 1
        await until(lambda: server.hub.num_readers == 0 and server.num_connections == 0)


async def test_what_is_no_request_is_answered_and_closed() -> None:
    async with serving() as (server, port):
        for data in (b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n"):
            assert (await http(port, data)).startswith(b"HTTP/1.1 400")
        assert (await http(port, b"GET / HTTP/1.1\r\nx: " + b"x" * 40_000)).startswith(b"HTTP/1.1 431")
        # A body that is damaged.
        chunked = http_request(path=WRITE_MESSAGES, headers=[WEB], close=False).replace(
            b"content-length: 0", b"transfer-encoding: chunked"
        )
        assert (await http(port, chunked + b"zz\r\n")).startswith(b"HTTP/1.1 400")
        await until(lambda: server.num_connections == 0)


def test_trailers() -> None:
    assert trailer_frame(Code.OK) == OK
