"""The sink that serves what is logged to viewers."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from aiorerun.config import ChunkBatcherConfig, checked_port
from aiorerun.errors import SinkOpenError
from aiorerun.net.endpoint import DEFAULT_PORT
from aiorerun.net.memory_limit import parse_memory_limit
from aiorerun.server.auth import Authorization, check_exposure
from aiorerun.server.server import ProxyServer, origin_patterns, proxy_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.net.tls import ServerTls
    from aiorerun.sinks.base import SinkContext


class GrpcServerSink:
    """Serves what is logged on a port of its own, for viewers to connect to.

    The server starts when the sink is attached to a recording, and ends when it is detached or the recording
    ends. Messages go to viewers without a copy. Viewers that come later are sent what is kept first.

    Flushing does not wait for viewers: what was logged is in the server then. When the sink is closed,
    viewers are sent what is waiting for them, for two seconds at most.

    Args:
        bind_ip: The address to listen on. One that other machines can reach needs ``token``, or ``insecure``.
        port: The port; 0 takes a free one.
        server_memory_limit: What may be kept for viewers that come later, such as ``"25%"`` or ``"4GB"``;
            ``"0B"`` keeps nothing. The oldest data goes first; static data stays.
        newest_first: Send what is kept with the newest first, and what comes before all of it.
        cors_allow_origin: Origins of web pages that are allowed besides those of this machine; ``*`` stands
            for any characters.
        token: What viewers must send as bearer token.
        tls: The files with certificate and key, or a context.
        insecure: Serve other machines without a token.

    Raises:
        ValueError: The address is open to others without a token; a limit or the token makes no sense.
        TypeError: The port is no integer; the address, the limit or the token is no text.
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
    ) -> None:
        check_exposure(bind_ip, token=token, insecure=insecure)
        parse_memory_limit(server_memory_limit)
        Authorization(token)
        self.bind_ip = bind_ip
        self.port = checked_port(port, "port")
        self.server_memory_limit = server_memory_limit
        self.newest_first = newest_first
        self.cors_allow_origin = origin_patterns(cors_allow_origin)
        self.insecure = insecure
        self._token = token
        self._tls = tls
        self._server: ProxyServer | None = None
        self.default_batcher_config = ChunkBatcherConfig.LOW_LATENCY()
        """How rows are batched unless the stream is told otherwise: viewers wait for them."""

    def _key(self) -> tuple[object, ...]:
        """What equal sinks have in common: the address, as a port can be listened on only once.

        So a sink with other options can take the place of one that has the port: that one lets go first.
        """
        if self.port:
            return self.bind_ip, self.port
        # Each of them has a port of its own.
        return (
            self.bind_ip,
            self.port,
            self.server_memory_limit,
            self.newest_first,
            self.cors_allow_origin,
            self._token,
            self._tls,
            self.insecure,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GrpcServerSink):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"GrpcServerSink(bind_ip={self.bind_ip!r}, port={self.port})"

    @property
    def uri(self) -> str:
        """What viewers on this machine connect to. The port is the real one once the sink is attached."""
        if self._server is not None:
            return self._server.uri
        return proxy_uri(self.bind_ip, self.port, is_tls=self._tls is not None)

    @property
    def server(self) -> ProxyServer | None:
        """The server, while the sink is attached."""
        return self._server

    async def open(self, context: SinkContext) -> None:
        """Starts the server.

        Raises:
            SinkOpenError: The address cannot be bound to, as when the port is taken, or the sink is attached
                to another recording.
        """
        if self._server is not None:
            raise SinkOpenError(
                errno.EBUSY, f"{self!r} is attached to another recording already: make another sink"
            )
        server = ProxyServer(
            self.bind_ip,
            self.port,
            server_memory_limit=self.server_memory_limit,
            newest_first=self.newest_first,
            cors_allow_origin=self.cors_allow_origin,
            token=self._token,
            tls=self._tls,
            insecure=self.insecure,
        )
        await server.start()
        self._server = server

    async def write(self, messages: Sequence[Message]) -> None:
        """Passes messages to the server, once no viewer is too far behind. Cancelling it takes none of them.

        Raises:
            MessageTooLargeError: One has more than 2 GiB.
        """
        # Loaded by now, with the server.
        from aiorerun.server.bodies import entry_of_message

        assert self._server is not None
        await self._server.hub.publish([entry_of_message(message) for message in messages])

    async def flush(self) -> None:
        """Nothing to do: what was written is in the server. Viewers are not waited for."""

    async def aclose(self) -> None:
        """Ends the server; see :meth:`ProxyServer.close`."""
        server = self._server
        if server is not None:
            await server.close()
            self._server = None
