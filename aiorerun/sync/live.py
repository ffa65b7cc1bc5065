"""Sending to viewers: the methods of the blocking recording stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.live import BaseLive
from aiorerun.stream_base import check_timeout
from aiorerun.sync.sending import Sending

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Sequence

    from aiorerun.net.tls import ClientTls, ServerTls


T = TypeVar("T")


class Live(BaseLive, Sending):
    """The methods of the blocking recording stream that send to viewers."""

    if TYPE_CHECKING:

        def _call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T: ...

    def connect_grpc(
        self,
        url: str | None = None,
        *,
        default_blueprint: None = None,
        tls: ClientTls = None,
        token: str | None = None,
    ) -> None:
        """Sends the recording to a viewer or proxy from now on, without waiting for the connection.

        See :meth:`aiorerun.AsyncRecordingStream.connect_grpc`.

        Raises:
            InvalidUrlError: The URL names no message proxy.
        """
        self._call(self._connect, url, default_blueprint, tls, token)

    def connected(self, timeout: float = 5.0) -> None:
        """Waits until all gRPC sinks of the stream are connected; returns at once if it has none.

        Raises:
            TimeoutError: One of them is not connected by then; the text says why.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(timeout, "connected: timeout")
        self._call(self._wait_until_connected, timeout)

    def serve_grpc(
        self,
        *,
        grpc_port: int | None = None,
        default_blueprint: None = None,
        server_memory_limit: str = "25%",
        newest_first: bool = False,
        cors_allow_origin: Sequence[str] | None = None,
        bind_ip: str = "127.0.0.1",
        token: str | None = None,
        tls: ServerTls = None,
        insecure: bool = False,
    ) -> str:
        """Serves the recording to any number of viewers from now on; returns the URI that they open.

        See :meth:`aiorerun.AsyncRecordingStream.serve_grpc`.

        Raises:
            SinkOpenError: The port is taken, or the address is not there; the former sinks stay.
            BadMemoryLimitError: ``server_memory_limit`` is none.
            ValueError: The address is open to other machines, and nothing says that it may be.
        """
        options = {
            "bind_ip": bind_ip,
            "server_memory_limit": server_memory_limit,
            "newest_first": newest_first,
            "cors_allow_origin": cors_allow_origin,
            "token": token,
            "tls": tls,
            "insecure": insecure,
        }
        return self._call(self._serve, grpc_port, default_blueprint, options)

    def spawn(
        self,
        *,
        port: int = 9876,
        connect: bool = True,
        memory_limit: str = "75%",
        hide_welcome_screen: bool = False,
        detach_process: bool = True,
        default_blueprint: None = None,
        server_memory_limit: str = "0B",
        executable_name: str = "rerun",
        executable_path: str | os.PathLike[str] | None = None,
    ) -> None:
        """Starts the native viewer, unless something listens at its port, and sends the recording there.

        See :meth:`aiorerun.AsyncRecordingStream.spawn`.

        Raises:
            FileNotFoundError: There is no such viewer; the text says how to install one.
        """
        options = {
            "memory_limit": memory_limit,
            "server_memory_limit": server_memory_limit,
            "hide_welcome_screen": hide_welcome_screen,
            "detach_process": detach_process,
            "executable_name": executable_name,
            "executable_path": executable_path,
        }

        async def spawn() -> None:
            await self._spawn(
                connect=connect, default_blueprint=default_blueprint, port=port, options=options
            )

        self._call(spawn)
