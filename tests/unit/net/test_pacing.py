"""Connections within one machine are not paced; others stay as they are."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.net.pacing import stop_pacing

if TYPE_CHECKING:
    from collections.abc import Generator

OPTION = getattr(socket, "TCP_CONGESTION", None)

pytestmark = pytest.mark.skipif(OPTION is None, reason="the system has no such option")


class FakeTransport:
    def __init__(self, sock: Any, peer: Any) -> None:
        self._info = {"socket": sock, "peername": peer}

    def get_extra_info(self, name: str) -> Any:
        return self._info[name]


class FakeSocket:
    """A connection on a system that paces."""

    def __init__(self, name: bytes, error: Exception | None = None) -> None:
        self.name = name
        self._error = error

    def getsockopt(self, _level: int, _option: int, _size: int) -> bytes:
        return self.name.ljust(16, b"\0")

    def setsockopt(self, _level: int, _option: int, value: bytes) -> None:
        if self._error is not None:
            raise self._error
        self.name = value


@pytest.mark.parametrize(
    "peer", [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0)]
)
@pytest.mark.parametrize("name", [b"bbr", b"bbr2"])
def test_within_the_machine(peer: tuple[Any, ...], name: bytes) -> None:
    sock = FakeSocket(name)
    stop_pacing(FakeTransport(sock, peer))
    assert sock.name == b"reno"


@pytest.mark.parametrize("peer", [("192.168.1.7", 1), ("fe80::1%eth0", 1, 0, 2), "/run/socket", "", None])
def test_other_connections_stay_as_they_are(peer: Any) -> None:
    sock = FakeSocket(b"bbr")
    stop_pacing(FakeTransport(sock, peer))
    assert sock.name == b"bbr"


@pytest.mark.parametrize("name", [b"cubic", b"reno", b"dctcp"])
def test_what_does_not_pace_stays_as_it_is(name: bytes) -> None:
    sock = FakeSocket(name)
    stop_pacing(FakeTransport(sock, ("127.0.0.1", 1)))
    assert sock.name == name


@pytest.mark.parametrize("error", [PermissionError(), NotImplementedError()])
def test_systems_and_event_loops_that_refuse(error: Exception) -> None:
    stop_pacing(FakeTransport(FakeSocket(b"bbr", error), ("127.0.0.1", 1)))
    stop_pacing(FakeTransport(object(), ("127.0.0.1", 1)))
    stop_pacing(FakeTransport(None, None))


@contextlib.contextmanager
def connected() -> Generator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            yield client


def test_a_real_connection() -> None:
    assert OPTION is not None
    with connected() as sock:
        before = sock.getsockopt(socket.IPPROTO_TCP, OPTION, 16).rstrip(b"\0")
        stop_pacing(FakeTransport(sock, sock.getpeername()))
        after = sock.getsockopt(socket.IPPROTO_TCP, OPTION, 16).rstrip(b"\0")
    assert after == (b"reno" if before.startswith(b"bbr") else before)
