"""Pieces are written in order, whether the socket takes all of them at once or not."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.net import gathering
from aiorerun.net.gathering import gathering_descriptor, write_pieces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.skipif(not hasattr(os, "writev"), reason="the system has no writev")


class Connection:
    """A transport, and the other end of its socket."""

    def __init__(self, transport: Any, other: socket.socket) -> None:
        self.transport = transport
        self.other = other
        self.descriptor = gathering_descriptor(transport)

    async def receive(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        async with asyncio.timeout(10):
            while len(data) < size:
                data += await loop.sock_recv(self.other, 1 << 20)
        return bytes(data)


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    one, other = socket.socketpair()
    # Small, so that it never takes everything at once.
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    other.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=one)
    made = Connection(transport, other)
    yield made
    transport.abort()
    other.close()


def pieces_of(sizes: list[int]) -> list[bytes]:
    numbers = random.Random(1)
    return [numbers.randbytes(size) for size in sizes]


@pytest.mark.parametrize(
    "sizes",
    [[0], [10], [70_000], [9, 16_384] * 32, [1_000_000], [9, 16_384] * 200, [100] * 2000],
    ids=lambda sizes: f"{len(sizes)} of {sizes[0]}",
)
async def test_all_arrives_in_order(connection: Connection, sizes: list[int]) -> None:
    pieces = pieces_of(sizes)
    whole = b"".join(pieces)
    for _ in range(3):
        write_pieces(
            connection.transport, connection.descriptor, [memoryview(piece) for piece in pieces], len(whole)
        )
    assert await connection.receive(3 * len(whole)) == 3 * whole


async def test_it_does_not_go_through_the_transport_where_that_is_not_needed(connection: Connection) -> None:
    class Watched:
        def get_write_buffer_size(self) -> int:
            return 0

        def write(self, data: bytes) -> None:
            raise AssertionError("joined")

    pieces = pieces_of([9, 16_384] * 4)
    write_pieces(Watched(), connection.descriptor, pieces, 4 * 16_384)
    assert await connection.receive(4 * 16_393) == b"".join(pieces)


async def test_what_the_transport_holds_comes_first(connection: Connection) -> None:
    held = bytes(1_000_000)
    connection.transport.write(held)
    assert connection.transport.get_write_buffer_size()
    pieces = pieces_of([100_000] * 3)
    write_pieces(connection.transport, connection.descriptor, pieces, 300_000)
    assert await connection.receive(1_300_000) == held + b"".join(pieces)


async def test_a_broken_connection_is_left_to_the_transport(connection: Connection) -> None:
    lost: list[Exception | None] = []

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(exc)

    connection.transport.set_protocol(Protocol())
    connection.other.close()
    write_pieces(connection.transport, connection.descriptor, pieces_of([100_000]), 100_000)
    async with asyncio.timeout(10):
        while not lost:  # noqa: ASYNC110
            await asyncio.sleep(0)


class Described:
    """A transport that says this about itself."""

    def __init__(self, **extra: Any) -> None:
        self._extra = extra

    def get_extra_info(self, name: str) -> Any:
        return self._extra.get(name)


def test_where_it_cannot_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as sock:
        assert gathering_descriptor(Described(socket=sock)) == sock.fileno()
        # What goes past TLS would not be encrypted.
        assert gathering_descriptor(Described(socket=sock, sslcontext=object())) is None
        monkeypatch.setattr(gathering, "_CAN_GATHER", False)
        assert gathering_descriptor(Described(socket=sock)) is None
    monkeypatch.undo()
    assert gathering_descriptor(Described()) is None
    assert gathering_descriptor(Described(socket=sock)) is None
