"""The server and the official programs, side by side and with each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from aiorerun.codec.framing import MessageKind
from aiorerun.net.logmsg import PREFIX, parse_log_msg
from aiorerun.net.methods import WRITE_TABLE
from aiorerun.server.bodies import entry_of_body
from tests.reading import rerun_cli
from tests.unit.server.official import (
    interrupted,
    official_server,
    saved,
    saving,
    until_saved,
    write_official,
)
from tests.unit.server.peers import (
    Client,
    activation,
    arrow_msg,
    http_request,
    random_bytes,
    real_bodies,
    serving,
    store_info,
    table,
    take,
    unchunk,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

WEB = ("content-type", "application/grpc-web+proto")


async def test_check_02_the_official_client_leaves_quickly() -> None:
    async with serving() as (server, _):
        assert await write_official(server.uri, 1000) < 2.0
        rows = len(server.hub.history)
        assert rows >= 5


async def test_check_03_the_official_reader_saves_the_same_as_from_the_official_server(
    tmp_path: Path,
) -> None:
    counts: list[Counter[MessageKind]] = []
    stats: list[list[str]] = []
    async with serving() as (server, port), Client(port) as client:
        await write_official(server.uri, 500)
        count = len(server.hub.history)
        bodies = await client.read(count)
        async with official_server() as official_port, Client(official_port) as official:
            # The same messages, in the same order.
            await official.write(bodies)
            for uri in (server.uri, f"rerun+http://127.0.0.1:{official_port}/proxy"):
                path = tmp_path / f"{len(stats)}.rrd"
                async with saving(uri, path) as process:
                    await until_saved(path, count)
                    await interrupted(process)
                counts.append(Counter(kind for kind, _ in saved(path)))
                result = await asyncio.to_thread(rerun_cli, "rrd", "stats", path)
                assert result.returncode == 0
                stats.append([line for line in result.stdout.splitlines() if line.startswith("num_")])
                verified = await asyncio.to_thread(
                    rerun_cli, "rrd", "verify", "--check-footers", "false", path
                )
                assert verified.returncode == 0, verified.stderr
                printed = await asyncio.to_thread(rerun_cli, "rrd", "print", path)
                assert printed.returncode == 0
                assert "scalars" in printed.stdout
    assert stats[0]
    assert stats[0] == stats[1]
    assert counts[0] == counts[1]


async def test_check_01_records_come_back_as_they_went_in(tmp_path: Path) -> None:
    async with serving() as (server, port), Client(port) as client:
        await write_official(server.uri, 100)
        count = len(server.hub.history)
        first = await client.read(count)
        async with serving() as (_, other_port), Client(other_port) as other:
            await other.write(first)
            assert await other.read(count) == first
    assert all(parse_log_msg(body).store is not None for body in first)


async def test_check_09_many_small_messages_reach_the_official_reader(tmp_path: Path, sized: Sized) -> None:
    count = sized(50_000, 200_000)
    path = tmp_path / "saved.rrd"
    async with serving() as (server, port), Client(port) as client:
        await client.write(store_info(number) for number in range(count))
        async with saving(server.uri, path) as process:
            await until(lambda: path.exists() and path.stat().st_size > 70 * count, 60)
            await until_saved(path, count)
            # Live ones, one after the other, come through as well.
            async with asyncio.timeout(60):
                for number in range(3000):
                    await server.hub.publish([entry_of_body(store_info(number))])
                    await asyncio.sleep(0)
            await until_saved(path, count + 3000)
            assert server.hub.num_readers == 1
            await interrupted(process)
    assert Counter(kind for kind, _ in saved(path)) == {MessageKind.SET_STORE_INFO: count + 3000}


async def test_check_13_three_peers_at_once(tmp_path: Path) -> None:
    """An HTTP/2 writer, an HTTP/2 reader and an HTTP/1.1 reader, and the official reader besides."""
    path = tmp_path / "saved.rrd"
    bodies = await real_bodies(500)
    async with (
        serving() as (server, port),
        Client(port) as writer,
        Client(port) as reader,
        reader.reading() as live,
        saving(server.uri, path) as process,
    ):
        web_reader, web_writer = await asyncio.open_connection("127.0.0.1", port)
        web_writer.write(http_request(headers=[WEB], body=bytes(5), close=False))
        await until(lambda: server.hub.num_readers == 3)
        for start in range(0, len(bodies), 100):
            await writer.write(bodies[start : start + 100])
        assert await take(live, len(bodies)) == bodies
        expected = b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)
        data = b""
        async with asyncio.timeout(20):
            while len(unchunk(data.partition(b"\r\n\r\n")[2])) < len(expected):
                data += await web_reader.read(1 << 20)
        assert unchunk(data.partition(b"\r\n\r\n")[2]) == expected
        web_writer.close()
        with contextlib.suppress(ConnectionError):
            await web_writer.wait_closed()
        await until_saved(path, len(bodies))
        await interrupted(process)
    assert len(saved(path)) == len(bodies)


def _named(name: str, size: int) -> bytes:
    """A message whose content begins with a name."""
    number = sum(name.encode())
    content = name.encode().ljust(20) + random_bytes(size)
    if name.startswith("S"):
        return store_info(number)
    if name == "act":
        return activation()
    return arrow_msg(
        content,
        static=name.startswith("st") or name == "bpStatic",
        blueprint=name.startswith("bp"),
        chunk=number,
    )


@pytest.mark.parametrize("newest_first", [False, True])
async def test_check_14_what_is_kept_is_what_the_official_server_keeps(newest_first: bool) -> None:
    options = ["--newest-first"] if newest_first else []
    names = ["t0", "S1", "st1", "t1", "bp", "t2", "act", "st2", "S2", "bpStatic", "t3"]
    mixed = [_named(name, 1000) for name in names]
    temporal = [_named(f"x{number}", 100_000) for number in range(30)]
    names_of = dict(zip([*mixed, *temporal], [*names, *(f"x{n}" for n in range(30))], strict=True))
    async with serving(server_memory_limit="1MB", newest_first=newest_first) as (_, port):
        ours = await _replayed(port, [mixed, temporal])
    async with official_server("--server-memory-limit", "1MB", *options) as official_port:
        theirs = await _replayed(official_port, [mixed, temporal])
    ours_named, theirs_named = ([[names_of[body] for body in got] for got in side] for side in (ours, theirs))
    assert ours_named == theirs_named
    assert [name for name in ours_named[1] if name.startswith("st")] != []
    assert len([name for name in ours_named[1] if name.startswith("x")]) in (9, 10)


async def _replayed(port: int, rounds: list[list[bytes]]) -> list[list[bytes]]:
    """What a new reader gets after each round, up to a pause."""
    seen: list[list[bytes]] = []
    async with Client(port) as client:
        for bodies in rounds:
            await client.write(bodies)
            got: list[bytes] = []
            async with client.reading() as stream:
                with contextlib.suppress(TimeoutError):
                    while True:
                        async with asyncio.timeout(1.0):
                            message = await stream.recv_message()
                        assert message is not None
                        got.append(message)
            seen.append(got)
    return seen


async def test_check_14_static_data_stays_where_the_official_server_drops_it() -> None:
    static = [_named(f"st{number}", 100_000) for number in range(15)]
    temporal = [_named(f"x{number}", 100_000) for number in range(3)]
    async with serving(server_memory_limit="1MB") as (_, port):
        (got,) = await _replayed(port, [[*temporal, *static]])
        assert got == static
    async with official_server("--server-memory-limit", "1MB") as official_port:
        (got,) = await _replayed(official_port, [[*temporal, *static]])
        assert got == static[-10:]


async def test_check_14_nothing_is_kept_with_0b() -> None:
    bodies = [_named(name, 100) for name in ("S1", "st1", "t1", "bp")]
    async with serving(server_memory_limit="0B") as (_, port), Client(port) as client:
        (got,) = await _replayed(port, [bodies])
        assert got == []
        async with client.reading() as live:
            await client.write(bodies)
            assert await take(live, 4) == bodies


WRONG = {
    "no log_msg": PREFIX.pack(0, 0),
    "no kind": PREFIX.pack(0, 2) + b"\x0a\x00",
    "garbage": PREFIX.pack(0, 2) + b"\xff\xff",
    "bad flag": b"\x02" + bytes(4),
    "compressed": b"\x01" + bytes(4),
    "cut off": PREFIX.pack(0, 9) + b"abc",
}


async def _status(port: int, data: bytes, path: str | None = None) -> Status:
    async with Client(port) as client:
        try:
            await (client.write_raw(data) if path is None else client.write_raw(data, path))
        except GRPCError as error:
            return error.status
    return Status.OK


async def test_check_16_statuses_are_those_of_the_official_server() -> None:
    cases: list[tuple[str, bytes, str | None]] = [(name, data, None) for name, data in WRONG.items()]
    without_id = table("x")[5:]
    cases += [
        ("unknown method", PREFIX.pack(0, 0), "/rerun.sdk_comms.v1alpha1.MessageProxyService/Nothing"),
        ("unknown service", PREFIX.pack(0, 0), "/a.B/C"),
        ("table without id", PREFIX.pack(0, len(without_id)) + without_id, WRITE_TABLE),
        ("table", PREFIX.pack(0, len(table("x"))) + table("x"), WRITE_TABLE),
        ("nonsense chunk", PREFIX.pack(0, len(arrow_msg(b"nonsense"))) + arrow_msg(b"nonsense"), None),
    ]
    async with serving() as (_, port), official_server() as official_port:
        ours = {name: await _status(port, data, path) for name, data, path in cases}
        theirs = {name: await _status(official_port, data, path) for name, data, path in cases}
    assert ours == theirs
