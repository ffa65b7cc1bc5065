"""The server as a whole: parameters, start, end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import time
import warnings
from typing import Any

import pytest

from aiorerun.errors import BadMemoryLimitError
from aiorerun.server.server import ProxyServer, origin_patterns, proxy_uri
from tests.unit.server.peers import (
    Client,
    arrow_msg,
    http,
    http_request,
    random_bytes,
    serving,
    store_info,
    until,
)

FILES = "/proc/self/fd"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"bind_ip": "0.0.0.0"}, "insecure=True"),
        ({"port": -1}, "port"),
        ({"port": 65536}, "port"),
        ({"server_memory_limit": "lots"}, "server_memory_limit"),
        ({"token": ""}, "token"),
    ],
)
def test_parameters_that_make_no_sense(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        ProxyServer(**options)
    if "server_memory_limit" in options:
        with pytest.raises(BadMemoryLimitError):
            ProxyServer(**options)


def test_uris() -> None:
    assert ProxyServer().uri == "rerun+http://127.0.0.1:9876/proxy"
    assert proxy_uri("0.0.0.0", 1, is_tls=True) == "rerun://127.0.0.1:1/proxy"
    assert proxy_uri("::", 1, is_tls=False) == "rerun+http://127.0.0.1:1/proxy"
    assert proxy_uri("10.0.0.1", 1, is_tls=False) == "rerun+http://10.0.0.1:1/proxy"


def test_origins() -> None:
    assert origin_patterns(None) == ()
    assert origin_patterns("a") == ("a",)
    assert origin_patterns(["a", "b"]) == ("a", "b")


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(ProxyServer(token="s3cret"))


async def test_it_starts_once() -> None:
    server = ProxyServer(port=0)
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.hub
    await server.close()
    async with server:
        with pytest.raises(RuntimeError, match="started before"):
            await server.start()
    await server.close()


async def test_it_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with serving() as (server, port), Client(port) as writer, Client(port) as reader, reader.reading():
        await writer.write([store_info()])
        web = asyncio.create_task(
            http(port, http_request(headers=[("content-type", "application/grpc-web")], body=bytes(5)))
        )
        _idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: server.num_connections == 4)
        await server.close()
        assert server.num_connections == 0
        await web
        idle_writer.close()
        with contextlib.suppress(ConnectionError):
            await idle_writer.wait_closed()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_closing_takes_no_longer_than_allowed() -> None:
    async with (
        serving(server_memory_limit="1GB") as (server, port),
        Client(port) as writer,
        Client(port) as reader,
        reader.reading(),
    ):
        await writer.write([arrow_msg(random_bytes(1 << 20)) for _ in range(30)])
        # It never reads, and so can never take what is waiting.
        start = time.monotonic()
        await server.close(0.3)
        assert time.monotonic() - start < 2.5
        assert server.num_connections == 0


async def test_a_reader_gets_what_is_waiting_before_the_end() -> None:
    bodies = [arrow_msg(random_bytes(1 << 16)) for _ in range(100)]
    async with serving() as (server, port), Client(port) as writer, Client(port) as reader:
        await writer.write(bodies)
        async with reader.reading() as stream:
            closing = asyncio.create_task(server.close())
            got: list[bytes] = []
            async with asyncio.timeout(10):
                while (message := await stream.recv_message()) is not None:
                    got.append(message)
                await stream.recv_trailing_metadata()
            assert got == bodies
            await closing


async def test_a_cancelled_close_cuts_everything() -> None:
    async with serving() as (server, port), Client(port) as writer, Client(port) as reader, reader.reading():
        await writer.write([arrow_msg(random_bytes(1 << 20)) for _ in range(30)])
        closing = asyncio.create_task(server.close(60))
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert server.num_connections == 0


def test_importing_the_package_loads_none_of_it() -> None:
    code = (
        "import sys, aiorerun; names = {'grpclib', 'h2', 'h11', 'betterproto2', 'aiorerun.server'}; "
        "print([*(names & set(sys.modules))]); "
        "import aiorerun.server; names = {'grpclib', 'h2', 'h11', 'betterproto2', 'pyarrow', 'numpy'}; "
        "print([*(names & set(sys.modules))])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split() == ["[]", "[]"]


def test_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with serving() as (server, port), Client(port) as writer, Client(port) as reader:
            bodies = [store_info(), arrow_msg(random_bytes(3 << 20))]
            await writer.write(bodies)
            assert await reader.read(2) == bodies
            answer = await http(port, http_request("OPTIONS"))
            assert answer.startswith(b"HTTP/1.1 200")
            await until(lambda: server.hub.num_readers == 0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=True) as runner:
            runner.run(run())
        gc.collect()


@pytest.mark.skipif(not os.path.isdir(FILES), reason="this system does not list open files")
async def test_starting_and_ending_again_and_again() -> None:
    counts: list[int] = []
    for _ in range(20):
        async with serving() as (_, port), Client(port) as client:
            await client.write([store_info()])
            await client.read(1)
            await http(port, http_request("OPTIONS"))
        await asyncio.sleep(0.02)
        counts.append(len(os.listdir(FILES)))
    assert counts[-1] <= counts[3]


_FORKING = """
import asyncio, os, socket, time
from aiorerun.server import ProxyServer

async def main():
    server = ProxyServer(port=0)
    await server.start()
    port = int(server.uri.removesuffix("/proxy").rpartition(":")[2])
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, b"x")
        time.sleep(30)
        os._exit(0)
    os.read(ours, 1)
    try:
        await server.close()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            print("taken")
        except ConnectionRefusedError:
            print("free")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_hold_the_port() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKING],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == "free"
