"""The port: accepts connections, a limited number, and hands each to HTTP/2 or HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiorerun.server.defaults import MAX_CONNECTIONS
from aiorerun.server.http2 import ServerProtocol
from aiorerun.server.sniffing import is_http2
from aiorerun.server.web_connection import WebConnection, WebTimeouts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from aiorerun.server.grpc_web import GrpcWeb
    from aiorerun.server.service import ProxyService

logger = logging.getLogger("aiorerun")

_BACKLOG: Final = 512
_RETRY_SECS: Final = 0.1
"""After the process ran out of file descriptors."""
_ABORT_SECS: Final = 1.0
_TLS_SHUTDOWN_SECS: Final = 1.0


_listeners: Final[weakref.WeakSet[socket.socket]] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: lets go of the ports, which would stay taken when the parent is done with them."""
    for listener in list(_listeners):
        listener.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


class PortTimeouts(NamedTuple):
    """How long peers may take.

    Attributes:
        handshake_secs: For TLS.
        first_byte_secs: Until it is clear which protocol they speak.
        keepalive_secs: After so long without a word HTTP/2 peers are asked whether they are there.
        keepalive_timeout: So long they may take to answer.
        web: For HTTP/1.1.
    """

    handshake_secs: float = 10.0
    first_byte_secs: float = 10.0
    keepalive_secs: float = 10.0
    keepalive_timeout: float = 15.0
    web: WebTimeouts = WebTimeouts()


class Port:
    """One listening socket for all peers.

    Args:
        service: What is served over HTTP/2.
        grpc_web: What is served over HTTP/1.1.
        tls: The context for TLS; ``None`` for none.
        max_connections: More connections are refused at once.
        timeouts: How long peers may take.
    """

    def __init__(
        self,
        service: ProxyService,
        grpc_web: GrpcWeb,
        *,
        tls: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
        timeouts: PortTimeouts | None = None,
    ) -> None:
        self._service = service
        self._grpc_web = grpc_web
        self._tls = tls
        self._max_connections = max_connections
        self._timeouts = timeouts if timeouts is not None else PortTimeouts()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._listen_again: asyncio.TimerHandle | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._sniffers: set[_Sniffer] = set()
        self._http2: set[ServerProtocol] = set()
        self._web: dict[asyncio.Task[None], WebConnection] = {}
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.is_closing = False
        self.refused = 0
        """How many connections were too many."""

    @property
    def num_connections(self) -> int:
        """How many connections there are, those that have not said anything yet included."""
        return len(self._handshakes) + len(self._sniffers) + len(self._http2) + len(self._web)

    async def open(self, bind_ip: str, port: int) -> int:
        """Begins to listen.

        Returns:
            The port, which is a free one if 0 was asked for.

        Raises:
            OSError: The address cannot be bound to.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            bind_ip, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE, family=socket.AF_UNSPEC
        )
        family, kind, protocol, _name, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setblocking(False)
            if sys.platform != "win32":
                # There it would let two programs listen on one port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        self._listener = listener
        _listeners.add(listener)
        self._listen(listener)
        bound: int = listener.getsockname()[1]
        return bound

    async def stop_accepting(self) -> None:
        """Takes no new connections, nor those that have not said anything yet."""
        self.is_closing = True
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
            self._accepting = None
        if self._listener is not None:
            if self._listen_again is not None:
                self._listen_again.cancel()
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for handshake in self._handshakes:
            handshake.cancel()
        for sniffer in list(self._sniffers):
            sniffer.abort()
        for task, connection in self._web.items():
            connection.is_closing = True
            if connection.is_idle:
                task.cancel()

    async def close(self, timeout: float) -> None:
        """Lets HTTP/1.1 answers end, says goodbye to the others, and cuts what is left after the time.

        Cancelling it cuts everything at once.
        """
        protocols = list(self._http2)
        try:
            await self.stop_accepting()
            for protocol in protocols:
                protocol.say_goodbye()
            await self._until_empty(timeout)
        finally:
            await self._cut(protocols)

    async def _cut(self, protocols: Iterable[ServerProtocol]) -> None:
        for protocol in protocols:
            protocol.abort()
        for task in (*self._web, *self._handshakes):
            task.cancel()
        await self._until_empty(_ABORT_SECS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ABORT_SECS):
                for protocol in protocols:
                    await protocol.wait_closed()

    async def _until_empty(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.num_connections:
                    self._is_empty.clear()
                    await self._is_empty.wait()

    def _left(self) -> None:
        if not self.num_connections:
            self._is_empty.set()

    def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            # Unlike `sock_accept`, this can be ended without losing a connection that comes just then.
            loop.add_reader(listener, self._accept_all, listener)
        except NotImplementedError:
            self._accepting = loop.create_task(self._accept(listener), name="aiorerun-accept")

    def _accept_all(self, listener: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                sock, _address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                # It was closed before it was accepted.
                continue
            except OSError as error:
                logger.debug("a connection cannot be accepted: %s", error)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                self._listen_again = loop.call_later(_RETRY_SECS, self._listen, listener)
                return
            sock.setblocking(False)
            self._let_in(sock)

    async def _accept(self, listener: socket.socket) -> None:
        """The same for event loops that cannot watch sockets."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _address = await loop.sock_accept(listener)
            except ConnectionError:
                continue
            except OSError as error:
                logger.debug("a connection cannot be accepted: %s", error)
                await asyncio.sleep(_RETRY_SECS)
            else:
                self._let_in(sock)

    def _let_in(self, sock: socket.socket) -> None:
        if self.num_connections >= self._max_connections:
            self.refused += 1
            sock.close()
            return
        task = asyncio.get_running_loop().create_task(self._greet(sock), name="aiorerun-handshake")
        self._handshakes.add(task)
        task.add_done_callback(partial(self._greeted, sock))

    def _greeted(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._handshakes.discard(task)
        if task.cancelled():
            # It may never have begun.
            sock.close()
        self._left()

    async def _greet(self, sock: socket.socket) -> None:
        """Makes a connection of a socket, after the handshake if there is one."""
        options: dict[str, Any] = {}
        if self._tls is not None:
            options = {
                "ssl": self._tls,
                "ssl_handshake_timeout": self._timeouts.handshake_secs,
                "ssl_shutdown_timeout": _TLS_SHUTDOWN_SECS,
            }
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _Sniffer(self), sock, **options)
        except OSError as error:
            # TLS errors and timeouts are such too.
            logger.debug("a connection is closed: %r", error)
            sock.close()

    def _undecided(self, sniffer: _Sniffer) -> asyncio.TimerHandle | None:
        """A connection exists that has not said anything yet; returns what ends it if that stays so."""
        if self.is_closing:
            sniffer.abort()
            return None
        self._sniffers.add(sniffer)
        return asyncio.get_running_loop().call_later(self._timeouts.first_byte_secs, sniffer.abort)

    def _decided(self, sniffer: _Sniffer) -> None:
        self._sniffers.discard(sniffer)
        self._left()

    def _serve_http2(self, transport: asyncio.Transport, data: bytes) -> None:
        protocol = ServerProtocol(
            self._service,
            keepalive_secs=self._timeouts.keepalive_secs,
            keepalive_timeout=self._timeouts.keepalive_timeout,
            on_lost=self._http2_lost,
        )
        self._http2.add(protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def _http2_lost(self, protocol: ServerProtocol) -> None:
        self._http2.discard(protocol)
        self._left()

    def _serve_web(self, transport: asyncio.Transport, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        connection = WebConnection(reader, writer, self._grpc_web, self._timeouts.web)
        task = loop.create_task(connection.serve(), name="aiorerun-web")
        self._web[task] = connection
        task.add_done_callback(self._web_done)

    def _web_done(self, task: asyncio.Task[None]) -> None:
        del self._web[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an HTTP/1.1 connection failed", exc_info=error)
        self._left()


class _Sniffer(asyncio.Protocol):
    """Waits for the first bytes of a connection, then makes way for the protocol they belong to."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection exists, after the handshake if there is one."""
        self._transport = transport
        self._timer = self._port._undecided(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come in."""
        self._data += data
        try:
            decided = is_http2(self._data)
        except ValueError as error:
            logger.debug("a connection is closed: %s", error)
            self.abort()
            return
        if decided is None:
            return
        self._end()
        serve = self._port._serve_http2 if decided else self._port._serve_web
        serve(self._transport, self._data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end()

    def abort(self) -> None:
        """Cuts the connection."""
        self._transport.abort()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._port._decided(self)
