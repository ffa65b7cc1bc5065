"""The server of the page, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import gzip
import os
import socket
import sys
import threading
import time
import weakref
import webbrowser
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.viewer import assets as assets_module, page_server
from aiorerun.viewer.files import BLOCK_BYTES
from aiorerun.viewer.page_server import open_browser, start_page_server, viewer_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

# It needs h11, which the extra `web` brings.
page_connection: Any = pytest.importorskip("aiorerun.viewer.page_connection")

WASM = os.urandom(5000) * 800
LOCAL = "host: 127.0.0.1\r\n"


@pytest.fixture(autouse=True)
def widget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in place of the viewer's."""
    static = tmp_path / "static"
    static.mkdir()
    (static / "widget.js").write_text("// script\n" * 1000)
    (static / "widget.css").write_text("p {}\n")
    (static / "re_viewer_bg.wasm").write_bytes(WASM)
    monkeypatch.setattr(assets_module, "_widget_directory", lambda: static)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return static


class Client:
    """A connection that speaks as much HTTP as is needed here."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(
        self, target: str = "/", headers: str = "", method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(f"{method} {target} HTTP/1.1\r\n{LOCAL}{headers}\r\n".encode())
        return await self.answer(has_body=method != "HEAD")

    async def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", "0")) if has_body else 0
            return int(status.split()[1]), headers, await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(20):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncGenerator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_the_page_is_served() -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        assert server.url == f"http://127.0.0.1:{server.port}/"
        assert repr(server) == f"PageServer('{server.url}')"
        status, headers, body = await client.ask("/?url=x")
        assert status == 200
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert b"page.js" in body
        assert "date" in headers
        # The connection is used again.
        status, headers, body = await client.ask("/widget.js")
        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert body.startswith(b"// script")


async def test_large_files_come_whole_plain_and_compressed() -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        _, headers, body = await client.ask("/re_viewer_bg.wasm")
        assert body == WASM
        assert headers["content-type"] == "application/wasm"
        async with asyncio.timeout(20):
            while "content-encoding" not in headers:
                _, headers, body = await client.ask("/re_viewer_bg.wasm", "accept-encoding: gzip\r\n")
        assert gzip.decompress(body) == WASM
        assert len(body) < len(WASM) == int(headers["rerun-final-length"])
        status, again, body = await client.ask(
            "/re_viewer_bg.wasm", f"accept-encoding: gzip\r\nif-none-match: {headers['etag']}\r\n"
        )
        assert (status, body) == (304, b"")
        assert again["etag"] == headers["etag"]
        status, headers, _ = await client.ask("/re_viewer_bg.wasm", method="HEAD")
        assert (status, headers["content-length"]) == (200, str(len(WASM)))
        # HEAD has sent no body, or this would not be a status.
        assert (await client.ask("/nothing"))[0] == 404


@pytest.fixture
def huge(widget: Path) -> int:
    """The viewer is larger than all buffers of the system; its size."""
    size = 64 * 1024 * 1024
    os.truncate(widget / "re_viewer_bg.wasm", size)
    return size


async def test_a_large_file_is_not_held_in_memory(huge: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not read gets what the system takes, and the rest stays where it is."""
    transports: list[Any] = []
    serve = page_connection.serve_connection

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Any) -> None:
        transports.append(writer.transport)
        await serve(reader, writer, site)

    monkeypatch.setattr(page_connection, "serve_connection", note)
    async with await start_page_server(0) as server, connect(server.port) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(f"GET /re_viewer_bg.wasm HTTP/1.1\r\n{LOCAL}\r\n".encode())
        async with asyncio.timeout(20):
            # Nothing changes any more once everybody is full.
            sizes = [0] * 5
            while sizes[-1] == 0 or len(set(sizes[-5:])) > 1:
                await asyncio.sleep(0.05)
                sizes.append(transports[0].get_write_buffer_size() if transports else 0)
        assert sizes[-1] <= 2 * BLOCK_BYTES
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert f"content-length: {huge}".encode() in head
        async with asyncio.timeout(60):
            while huge > 0:
                huge -= len(await client.reader.read(1 << 20))
        assert huge == 0


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\n{LOCAL}{LOCAL}\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421),
        (f"GET / HTTP/1.1\r\n{LOCAL}long: {'x' * 100_000}\r\n\r\n", 431),
        (f"GET /{'x' * 100_000} HTTP/1.1\r\n{LOCAL}\r\n", 431),
        (f"POST / HTTP/1.1\r\n{LOCAL}content-length: 1000000\r\n\r\nxx", 405),
        (f"POST / HTTP/1.1\r\n{LOCAL}content-length: -1\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{LOCAL}transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
async def test_nonsense_is_refused_and_the_connection_closed(request_text: str, status: int) -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        client.writer.write(request_text.encode())
        answer = await client.answer()
        assert answer[0] == status
        if status == 421:
            return
        assert await client.is_closed()


async def test_requests_may_come_in_pieces_and_all_at_once() -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        request = f"GET /widget.css HTTP/1.1\r\n{LOCAL}\r\n".encode()
        for index in range(len(request)):
            client.writer.write(request[index : index + 1])
            await asyncio.sleep(0)
        assert (await client.answer())[2] == b"p {}\n"
        client.writer.write(request * 3)
        for _ in range(3):
            assert (await client.answer())[2] == b"p {}\n"


async def test_who_wants_to_close_may_close() -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        assert (await client.ask(headers="connection: close\r\n"))[0] == 200
        assert await client.is_closed()


async def test_silent_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_connection, "REQUEST_TIMEOUT", 0.1)
    async with await start_page_server(0) as server:
        async with connect(server.port) as client:
            assert await client.is_closed()
        async with connect(server.port) as client:
            client.writer.write(b"GET / HTTP/1.1\r\n")
            assert await client.is_closed()


async def test_who_does_not_read_is_given_up(huge: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_connection, "STALL_TIMEOUT", 0.2)
    async with await start_page_server(0) as server, connect(server.port) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(f"GET /re_viewer_bg.wasm HTTP/1.1\r\n{LOCAL}\r\n".encode())
        async with asyncio.timeout(20):
            while not server._connections:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            while server._connections:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_a_file_that_went_away_breaks_the_connection(widget: Path) -> None:
    async with await start_page_server(0) as server, connect(server.port) as client:
        (widget / "widget.css").unlink()
        client.writer.write(f"GET /widget.css HTTP/1.1\r\n{LOCAL}\r\n".encode())
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()
        async with connect(server.port) as other:
            assert (await other.ask())[0] == 200


async def test_there_are_not_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "MAX_CONNECTIONS", 1)
    async with await start_page_server(0) as server, connect(server.port) as client:
        assert (await client.ask())[0] == 200
        async with connect(server.port) as other:
            assert await other.is_closed()
        assert (await client.ask())[0] == 200


async def test_closing_ends_connections_and_frees_the_port() -> None:
    server = await start_page_server(0)
    async with connect(server.port) as idle, connect(server.port) as client:
        assert (await client.ask())[0] == 200
        async with asyncio.timeout(5):
            await server.close()
            await server.close()
        assert await idle.is_closed()
        assert await client.is_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    again = await start_page_server(server.port)
    await again.close()


async def test_check_26_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await start_page_server(taken.getsockname()[1])


async def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        await start_page_server(70000)
    with pytest.raises(ValueError, match="localhost"):
        await start_page_server(0, "localhost")


async def test_a_missing_h11_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h11", None)
    with pytest.raises(ImportError, match=r"aiorerun\[web\]"):
        await start_page_server(0)


async def test_the_cache_may_be_elsewhere(tmp_path: Path) -> None:
    async with await start_page_server(0, cache_dir=tmp_path / "here") as server:
        assert server._compressing is not None
        async with asyncio.timeout(20):
            await asyncio.wait([server._compressing])
    assert len(list((tmp_path / "here").glob("*.gz"))) == 2


@pytest.mark.parametrize(
    ("bind_ip", "url"),
    [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")],
)
async def test_the_url_is_one_that_can_be_opened(bind_ip: str, url: str) -> None:
    try:
        server = await start_page_server(0, bind_ip)
    except OSError:
        pytest.skip("this machine has no such address")
    async with server:
        assert server.url == f"{url}{server.port}/"


def test_a_loop_that_ends_does_not_wait_for_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def compress(assets: object, cache: object, is_over: Callable[[], bool]) -> None:
        begun.set()
        deadline = time.monotonic() + 60
        while not is_over() and time.monotonic() < deadline:
            time.sleep(0.01)

    monkeypatch.setattr(page_server, "compress_assets", compress)

    async def forget_to_close() -> None:
        server = await start_page_server(0)
        assert await asyncio.to_thread(begun.wait, 20)
        assert server._server is not None
        server._server.close()

    begin = time.monotonic()
    asyncio.run(forget_to_close())
    assert time.monotonic() - begin < 30


async def test_the_server_keeps_nothing_of_the_callers_context() -> None:
    class Recording:
        pass

    variable: contextvars.ContextVar[Recording] = contextvars.ContextVar("variable")

    async def start() -> tuple[page_server.PageServer, weakref.ref[Recording]]:
        recording = Recording()
        variable.set(recording)
        return await start_page_server(0), weakref.ref(recording)

    server, recording = await asyncio.create_task(start())
    async with server, connect(server.port) as client:
        assert (await client.ask())[0] == 200
        gc.collect()
        assert recording() is None


def test_it_works_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def fetch() -> bytes:
        async with await start_page_server(0) as server, connect(server.port) as client:
            return (await client.ask("/re_viewer_bg.wasm"))[2]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(fetch()) == WASM


def test_sources_are_encoded() -> None:
    page = "http://127.0.0.1:9090/"
    assert viewer_url(page) == page
    assert (
        viewer_url(page, "rerun+http://127.0.0.1:9876/proxy")
        == "http://127.0.0.1:9090/?url=rerun%2Bhttp%3A%2F%2F127.0.0.1%3A9876%2Fproxy"
    )
    assert viewer_url(page, ["a&b", "c d"], theme="light", hide_welcome_screen=True) == (
        page + "?url=a%26b&url=c%20d&theme=light&hide_welcome_screen=1"
    )
    assert viewer_url(f"{page}?theme=dark", "ü") == f"{page}?theme=dark&url=%C3%BC"


async def test_the_browser_is_opened_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, bool]] = []

    def fake(url: str) -> bool:
        opened.append((url, threading.current_thread() is threading.main_thread()))
        return True

    monkeypatch.setattr(webbrowser, "open", fake)
    assert await open_browser("http://127.0.0.1:1/")
    assert opened == [("http://127.0.0.1:1/", False)]


async def test_no_browser_is_only_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert not await open_browser("http://127.0.0.1:1/")
    assert "http://127.0.0.1:1/" in caplog.text

    def fail(url: str) -> bool:
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "open", fail)
    assert not await open_browser("http://127.0.0.1:1/")


async def test_a_browser_that_stays_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stay = threading.Event()
    monkeypatch.setattr(webbrowser, "open", lambda url: stay.wait(60))
    monkeypatch.setattr(page_server, "BROWSER_TIMEOUT", 0.05)
    try:
        async with asyncio.timeout(20):
            assert await open_browser("http://127.0.0.1:1/")
    finally:
        stay.set()
