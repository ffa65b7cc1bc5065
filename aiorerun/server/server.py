"""The server: what is kept, who may come, and the port."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiorerun.config import checked_port
from aiorerun.errors import SinkOpenError
from aiorerun.net.endpoint import DEFAULT_PORT, Endpoint
from aiorerun.net.hosts import is_loopback
from aiorerun.net.memory_limit import parse_memory_limit
from aiorerun.server.auth import Authorization, check_exposure
from aiorerun.server.cors import Origins
from aiorerun.server.defaults import MAX_CONNECTIONS, MAX_MESSAGE_BYTES, READER_BYTES, STALL_SECS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Self

    from aiorerun.net.tls import ServerTls
    from aiorerun.server.hub import Hub
    from aiorerun.server.port import Port, PortTimeouts
    from aiorerun.server.service import ProxyService

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104


class ProxyServer:
    """A message proxy, as ``rerun --serve-grpc`` is one: takes messages from writers, gives them to readers.

    Native viewers and SDKs (gRPC) and web viewers (gRPC-web) use the same port. Readers that come later get
    what is kept first. Once a reader is too slow it is closed, see :class:`aiorerun.server.hub.Hub`; peers
    that are gone are noticed and closed after half a minute at most.

    Static data and store information are never given up for other data. From a web page whose origin is not
    allowed nothing can be written; reading is left to the browser to forbid, which keeps the answer from the
    page.

    Args:
        bind_ip: The address to listen on. One that other machines can reach needs ``token``, or ``insecure``.
        port: The port; 0 takes a free one.
        server_memory_limit: What may be kept for readers that come later, such as ``"25%"`` or ``"4GB"``;
            ``"0B"`` keeps nothing.
        newest_first: Send what is kept with the newest first, and what comes before all of it.
        cors_allow_origin: Origins of web pages that are allowed besides those of this machine; ``*`` stands
            for any characters.
        token: What callers must send as bearer token.
        tls: The files with certificate and key, or a context.
        insecure: Serve other machines without a token.
        reader_bytes: How many bytes a reader may be behind, besides what is kept anyway.
        stall_secs: How long writers wait for a reader that is further behind.
        max_message_bytes: The longest message that is taken.
        max_connections: More connections than this are refused.
        timeouts: How long peers may take.

    Raises:
        ValueError: The address is open to others without a token; a limit or the token makes no sense.
    """

    def __init__(
        self,
        bind_ip: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        server_memory_limit: str = "25%",
        newest_first: bool = False,
        cors_allow_origin: str | Iterable[str] | None = None,
        token: str | None = None,
        tls: ServerTls = None,
        insecure: bool = False,
        reader_bytes: int = READER_BYTES,
        stall_secs: float = STALL_SECS,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_connections: int = MAX_CONNECTIONS,
        timeouts: PortTimeouts | None = None,
    ) -> None:
        check_exposure(bind_ip, token=token, insecure=insecure)
        self._authorization = Authorization(token)
        self._limit = parse_memory_limit(server_memory_limit)
        self._bind_ip = bind_ip
        self._wanted_port = checked_port(port, "port")
        self._newest_first = newest_first
        patterns = origin_patterns(cors_allow_origin)
        self._origins = Origins(patterns, is_open=token is not None or not is_loopback(bind_ip))
        self._tls = tls
        self._reader_bytes = reader_bytes
        self._stall_secs = stall_secs
        self._max_message_bytes = max_message_bytes
        self._max_connections = max_connections
        self._timeouts = timeouts
        self._hub: Hub | None = None
        self._service: ProxyService | None = None
        self._port: Port | None = None
        self._bound_port: int | None = None
        self._has_started = False

    def __repr__(self) -> str:
        return f"ProxyServer({self.uri!r})"

    @property
    def uri(self) -> str:
        """What clients on this machine connect to. The port is the real one once the server has started."""
        port = self._wanted_port if self._bound_port is None else self._bound_port
        return proxy_uri(self._bind_ip, port, is_tls=self._tls is not None)

    @property
    def hub(self) -> Hub:
        """Where messages meet.

        Raises:
            RuntimeError: The server has not started.
        """
        if self._hub is None:
            raise RuntimeError("the server has not started: await start() first")
        return self._hub

    @property
    def num_connections(self) -> int:
        """How many connections there are."""
        return 0 if self._port is None else self._port.num_connections

    async def start(self) -> None:
        """Begins to serve. Cancelling it leaves the server stopped.

        Raises:
            SinkOpenError: The address cannot be bound to, as when the port is taken, or the certificate
                cannot be read.
            RuntimeError: It was started before.
        """
        if self._has_started:
            raise RuntimeError("the server was started before: make another one")
        self._has_started = True
        try:
            await self._start()
        except BaseException:
            self._has_started = False
            raise

    async def _start(self) -> None:
        try:
            parts, context = await asyncio.to_thread(_load, self._tls)
        except OSError as error:
            raise SinkOpenError(
                error.errno, f"tls: cannot read certificate and key: {error.strerror or error}"
            ) from error
        history = parts.ReplayBuffer(self._limit, newest_first=self._newest_first)
        hub = parts.Hub(history, reader_bytes=self._reader_bytes, stall_secs=self._stall_secs)
        calls = parts.Calls(hub, self._authorization, max_message_bytes=self._max_message_bytes)
        service = parts.ProxyService(calls)
        port = parts.Port(
            service,
            parts.GrpcWeb(calls, self._origins),
            tls=context,
            max_connections=self._max_connections,
            timeouts=self._timeouts,
        )
        try:
            self._bound_port = await port.open(self._bind_ip, self._wanted_port)
        except OSError as error:
            raise SinkOpenError(
                error.errno,
                f"cannot listen on {self._bind_ip}:{self._wanted_port}: {error.strerror or error} "
                "(pass port=0 for a free port)",
            ) from error
        self._hub, self._service, self._port = hub, service, port

    async def close(self, timeout: float = 2.0) -> None:
        """Ends the server. May be called again.

        Writers are refused at once. Readers are sent what is waiting for them, and those that have not taken
        it in time are cut off. Cancelling it cuts off everybody at once.

        Args:
            timeout: Seconds for the readers.
        """
        port, service, hub = self._port, self._service, self._hub
        if port is None or service is None or hub is None:
            return
        self._port = None
        try:
            await port.stop_accepting()
            hub.close()
            service.refuse_writers()
            deadline = asyncio.get_running_loop().time() + timeout
            if tasks := service.tasks:
                await asyncio.wait(tasks, timeout=timeout)
            left = deadline - asyncio.get_running_loop().time()
            await port.close(max(left, 0.0))
        finally:
            hub.close()
            await port.close(0.0)
            await hub.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(RuntimeError):
            await self.close()


def _load(tls: ServerTls) -> tuple[ModuleType, ssl.SSLContext | None]:
    """What a server is made of, and its context. Blocking: the modules take a while to load."""
    from aiorerun.net.tls import server_context
    from aiorerun.server import parts

    context = server_context(tls)
    if context is not None:
        # The first one that the peer knows is taken. Programs only speak HTTP/2; browsers speak both, and
        # their gRPC-web is served over HTTP/1.1.
        context.set_alpn_protocols(["http/1.1", "h2"])
    return parts, context


def origin_patterns(cors_allow_origin: str | Iterable[str] | None) -> tuple[str, ...]:
    """The patterns of origins that were passed, one or several."""
    if cors_allow_origin is None:
        return ()
    return (cors_allow_origin,) if isinstance(cors_allow_origin, str) else tuple(cors_allow_origin)


def proxy_uri(bind_ip: str, port: int, *, is_tls: bool) -> str:
    """The URI by which clients on this machine reach a server."""
    host = "127.0.0.1" if bind_ip in _ANY_ADDRESS else bind_ip
    return str(Endpoint(is_tls, host, port))
