"""The example services under their own servers, asked by a real client, with telemetry and without."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, WSMsgType

from tests.asgi import until
from tests.examples.services import EXAMPLES, Service, running, uvicorn
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.reading import LoggedRow

pytestmark = pytest.mark.may_block

BOTH = pytest.mark.parametrize("app", ["app", "bare_app"], ids=["recorded", "bare"])


def recorded(folder: Path) -> list[LoggedRow]:
    """The rows of the only file that a service has written, which must be complete."""
    (path,) = folder.glob("*.rrd")
    assert_verified([path])
    return rows_of(path)


def requests_of(rows: list[LoggedRow]) -> dict[str, list[LoggedRow]]:
    """The rows of requests, by route and method."""
    found: dict[str, list[LoggedRow]] = {}
    for row in rows:
        if row.path.startswith("/http/requests"):
            name = row.path.removeprefix("/http/requests").replace("\\", "")
            found.setdefault(name, []).append(row)
    return found


async def ask(client: ClientSession, method: str, url: str, **options: Any) -> tuple[int, str]:
    async with client.request(method, url, **options) as response:
        return response.status, await response.text()


async def shout(client: ClientSession, url: str) -> str:
    async with client.ws_connect(url) as connection:
        await connection.send_str("hello")
        return await connection.receive_str()


def check_steps(rows: list[LoggedRow], numbers: dict[int, int]) -> None:
    """What a handler has logged stands in the scope of its own request, and of no other."""
    for row in rows:
        if row.path == "/steps":
            number = int(row.values["TextLog:text"][0].split()[1])
            assert row.times["request"] == numbers.setdefault(number, row.times["request"])
    assert len(set(numbers.values())) == len(numbers)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@BOTH
async def test_fastapi(app: str, loop: str, tmp_path: Path) -> None:
    with uvicorn(f"fastapi_service:{app}", tmp_path, "--loop", loop) as (service, url):
        async with ClientSession() as client:
            answers = [
                await ask(client, "GET", f"{url}/"),
                await ask(client, "GET", f"{url}/items/7"),
                await ask(client, "GET", f"{url}/items/700"),
                await ask(client, "GET", f"{url}/none"),
                await ask(client, "POST", f"{url}/echo", data=b"x" * 100_000),
                await ask(client, "GET", f"{url}/stream/5"),
                await ask(client, "GET", f"{url}/fail"),
            ]
            kinds = ("slow", "thread", "mail")
            many = [(kind, number) for number, kind in enumerate(kinds * 20)]
            all_at_once = [
                ask(client, "POST" if kind == "mail" else "GET", f"{url}/{kind}/{number}")
                for kind, number in many
            ]
            statuses = [status for status, _ in await asyncio.gather(*all_at_once)]
            shouted = await shout(client, f"{url}/ws")
            page = await ask(client, "GET", f"{url}/telemetry/")
        assert service.stop() in (0, -15)

    assert page[0] == (200 if app == "app" else 404)
    assert answers == [
        (200, '{"hello":"world"}'),
        (200, '{"id":7,"name":"item 7"}'),
        (404, '{"detail":"no such item"}'),
        (404, '{"detail":"Not Found"}'),
        (200, '{"bytes":100000}'),
        (200, "0\n1\n2\n3\n4\n"),
        (500, "Internal Server Error"),
    ]
    assert statuses == [202 if kind == "mail" else 200 for kind, _ in many]
    assert shouted == "HELLO"
    assert service.output.count("RuntimeError: this handler is broken") == 1
    if app == "bare_app":
        assert not list(tmp_path.glob("*.rrd"))
        return
    rows = recorded(tmp_path)
    requests = requests_of(rows)
    assert {name: len(found) for name, found in requests.items()} == {
        "/GET": 1, "/items/{item_id}/GET": 2, "/(unmatched)/GET": 1, "/echo/POST": 1,
        "/stream/{chunks}/GET": 1,
        "/fail/GET": 1, "/slow/{number}/GET": 20, "/thread/{number}/GET": 20, "/mail/{number}/POST": 20,
        "/ws/WEBSOCKET": 1,
    }  # fmt: skip
    check_steps(rows, {})
    assert sum(row.path == "/steps" for row in rows) == 20 * 4
    (failure,) = [row for row in rows if row.path == "/http/log"]
    assert failure.times["request"] == requests["/fail/GET"][0].times["request"]
    assert 'raise RuntimeError("this handler is broken")' in failure.values["TextLog:text"][0]
    assert requests["/echo/POST"][0].values["Request:received_bytes"] == [100_000]


async def ask_and_vanish(url: str, path: str, *headers: str) -> None:
    """Sends a request, waits for the first bytes of the answer, and breaks the connection off."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", "Host: test", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    assert await asyncio.wait_for(reader.read(10), 10)
    writer.transport.abort()
    writer.close()


@BOTH
async def test_fastapi_and_clients_that_go_away(app: str, tmp_path: Path) -> None:
    upgrade = (
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    with uvicorn(f"fastapi_service:{app}", tmp_path) as (service, url):
        await ask_and_vanish(url, "/stream/1000000")
        await ask_and_vanish(url, "/ws", *upgrade)
        async with ClientSession() as client:
            assert (await ask(client, "GET", f"{url}/"))[0] == 200
        assert service.stop() in (0, -15)

    if app == "app":
        requests = requests_of(recorded(tmp_path))
        for name in ("/stream/{chunks}/GET", "/ws/WEBSOCKET"):
            (row,) = requests[name]
            assert row.values["Request:client_disconnected"] == [True], name
            assert row.values["Request:failed"] == [False], name


@BOTH
async def test_websocket_fanout(app: str, tmp_path: Path) -> None:
    with uvicorn(f"websocket_fanout:{app}", tmp_path) as (service, url):
        async with ClientSession() as client:
            members = [await client.ws_connect(f"{url}/rooms/{number % 2}") for number in range(6)]
            for number, member in enumerate(members):
                await member.send_str(f"from {number}")
            heard = [[await member.receive_str() for _ in range(3)] for member in members]
            for member in members:
                await member.close()
        assert service.stop() in (0, -15)

    for number, texts in enumerate(heard):
        assert sorted(texts) == [f"from {other}" for other in range(number % 2, 6, 2)]
    if app == "app":
        rows = recorded(tmp_path)
        connections = requests_of(rows)["/rooms/{room}/WEBSOCKET"]
        assert [row.values["WebSocket:messages_sent"] for row in connections] == [[3]] * 6
        assert [row.values["WebSocket:messages_received"] for row in connections] == [[1]] * 6
        # Joined and left, in the scope of the connection.
        told = [row.times["request"] for row in rows if row.path.endswith("/members")]
        assert sorted(told) == sorted([row.times["request"] for row in connections] * 2)


@BOTH
async def test_background_worker(app: str, tmp_path: Path) -> None:
    with uvicorn(f"background_worker:{app}", tmp_path) as (service, url):
        async with ClientSession() as client:
            jobs = [json.loads((await ask(client, "POST", f"{url}/jobs"))[1])["job"] for _ in range(5)]

            async def is_done() -> bool:
                return (await ask(client, "GET", f"{url}/jobs/{jobs[-1]}"))[0] == 200

            await until(is_done)
            results = [await ask(client, "GET", f"{url}/jobs/{job}") for job in jobs]
        assert service.stop() in (0, -15)

    assert results == [(200, '{"result":10}')] * 5
    if app == "app":
        rows = recorded(tmp_path)
        progress = [row.times for row in rows if row.path == "/jobs/progress"]
        assert [times["job"] for times in progress] == [job for job in jobs for _ in range(5)]
        assert not any("request" in times for times in progress)
        waiting = [row.times["request"] for row in rows if row.path == "/jobs/waiting"]
        assert waiting == [row.times["request"] for row in requests_of(rows)["/jobs/POST"]]


@contextmanager
def aiohttp_service(name: str, folder: Path) -> Generator[tuple[Service, str]]:
    """The aiohttp example under aiohttp's own server, and its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "aiohttp.web", "-H", "127.0.0.1", "-P", str(port), f"{EXAMPLES}.aiohttp_service:{name}"]
    with running(command, folder) as service:
        service.wait_for("Running on")
        yield service, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["main", "bare_main"], ids=["recorded", "bare"])
async def test_aiohttp(name: str, tmp_path: Path) -> None:
    with aiohttp_service(name, tmp_path) as (service, url):
        async with ClientSession() as client:
            answers = [
                await ask(client, "GET", f"{url}/"),
                await ask(client, "GET", f"{url}/items/7"),
                await ask(client, "GET", f"{url}/items/700"),
                await ask(client, "GET", f"{url}/none"),
                await ask(client, "POST", f"{url}/echo", data=b"x" * 100_000),
                await ask(client, "GET", f"{url}/stream/5"),
                await ask(client, "GET", f"{url}/twice"),
            ]
            failed, _ = await ask(client, "GET", f"{url}/fail")
            statuses = await asyncio.gather(
                *(ask(client, "GET", f"{url}/slow/{number}") for number in range(50))
            )
            shouted = await shout(client, f"{url}/ws")
            async with client.ws_connect(f"{url}/ws") as connection:
                await connection.close()
                assert (await connection.receive()).type is WSMsgType.CLOSED
        assert service.stop() == 0

    assert answers == [
        (200, '{"hello": "world"}'),
        (200, '{"id": 7, "name": "item 7"}'),
        (404, "no such item"),
        (404, "404: Not Found"),
        (200, '{"bytes": 100000}'),
        (200, "0\n1\n2\n3\n4\n"),
        (200, '{"id": 1, "name": "item 1"}'),
    ]
    assert (failed, shouted) == (500, "HELLO")
    assert [status for status, _ in statuses] == [200] * 50
    assert service.output.count("RuntimeError: this handler is broken") == 1
    if name == "bare_main":
        assert not list(tmp_path.glob("*.rrd"))
        return
    rows = recorded(tmp_path)
    requests = requests_of(rows)
    assert len(requests["/slow/{number}/GET"]) == 50
    check_steps(rows, {})
    (own,) = [row for row in rows if row.path.startswith("/http/client/requests")]
    assert own.times["request"] == requests["/twice/GET"][0].times["request"]
    assert [row.values["TextLog:text"][0][:30] for row in rows if row.path == "/http/log"] == [
        "GET /fail: 500 RuntimeError: t"
    ]
