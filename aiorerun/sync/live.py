"""Sending to viewers: the methods of the blocking recording stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.live import BaseLive
from aiorerun.stream_base import check_timeout
from aiorerun.sync.sending import Sending

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Sequence

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.net.tls import ClientTls, ServerTls


T = TypeVar("T")


class Live(BaseLive, Sending):
    """The methods of the blocking recording stream that send to viewers."""

    if TYPE_CHECKING:

        def _call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T: ...

    def send_blueprint(
        self, blueprint: BlueprintLike, *, make_active: bool = True, make_default: bool = True
    ) -> None:
        """Sends a blueprint to viewers of the recording: which views there are, and how they are laid out.

        See :meth:`aiorerun.AsyncRecordingStream.send_blueprint`.

        Raises:
            TypeError: It is no blueprint.
            ValueError: It is a recording out of a file.
            RrdError: Its file is damaged; nothing of it is sent.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        from aiorerun.blueprint_sending import send_blocking

        job = self._captured_blueprint(blueprint, make_active, make_default)
        if job is not None:
            send_blocking(self, job)

    def connect_grpc(
        self,
        url: str | None = None,
        *,
        default_blueprint: BlueprintLike | None = None,
        tls: ClientTls = None,
        token: str | None = None,
    ) -> None:
        """Sends the recording to a viewer or proxy from now on, without waiting for the connection.

        See :meth:`aiorerun.AsyncRecordingStream.connect_grpc`.

        Raises:
            InvalidUrlError: The URL names no message proxy.
            TypeError: It is no text, or the token is none.
        """
        default = self._captured_default("connect_grpc", default_blueprint)
        self._call(self._connect, url, default, tls, token)

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
        default_blueprint: BlueprintLike | None = None,
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
            ValueError: The address is open to other machines, and nothing says that it may be; or the port is
                none.
            TypeError: The port is no integer; the address, the limit or the token is no text.
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
        default = self._captured_default("serve_grpc", default_blueprint)
        return self._call(self._serve, grpc_port, default, options)

    def spawn(
        self,
        *,
        port: int = 9876,
        connect: bool = True,
        memory_limit: str = "75%",
        hide_welcome_screen: bool = False,
        detach_process: bool = True,
        default_blueprint: BlueprintLike | None = None,
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
        default = self._captured_default("spawn", default_blueprint)

        async def spawn() -> None:
            await self._spawn(connect=connect, default=default, port=port, options=options)

        self._call(spawn)
