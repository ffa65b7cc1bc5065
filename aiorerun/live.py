"""Sending to viewers: what both recording streams share, and the methods of the asyncio one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiorerun.config import DEFAULT_GRPC_PORT, checked_port
from aiorerun.pipeline.capture import DISABLED
from aiorerun.sending import AsyncSending, BaseSending
from aiorerun.stream_base import check_timeout, logger

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from aiorerun.blueprint_sending import BlueprintJob, BlueprintLike
    from aiorerun.net.tls import ClientTls, ServerTls

SERVED_NOWHERE: Final = "[rerun is disabled]"
"""What ``serve_grpc`` gives instead of a URI if nothing is served."""


class BaseLive(BaseSending):
    """What both recording streams need to send to viewers."""

    async def _connect(
        self, url: str | None, default: BlueprintJob | None, tls: ClientTls, token: str | None
    ) -> None:
        from aiorerun.sinks.grpc import GrpcSink

        await self._replace_sinks((GrpcSink(url, tls=tls, token=token),), default)

    async def _serve(
        self,
        port: int | None,
        default: BlueprintJob | None,
        options: dict[str, Any],
    ) -> str:
        from aiorerun.server import GrpcServerSink

        number = DEFAULT_GRPC_PORT if port is None else checked_port(port, "grpc_port")
        sink = GrpcServerSink(port=number, **options)
        await self._replace_sinks((sink,), default)
        # Forced into a file, it is not attached either.
        return sink.uri if self._is_attached(sink) else SERVED_NOWHERE

    def _is_attached(self, sink: Any) -> bool:
        return any(each is sink for each in self._attached())

    def _attached(self) -> list[Any]:
        return [runner.sink for runner in self._engine.conveyor.sinks.runners]

    async def _spawn(
        self, *, connect: bool, default: BlueprintJob | None, port: int, options: dict[str, Any]
    ) -> None:
        if self._capture.gate == DISABLED:
            logger.warning("%r is disabled; the call to spawn a viewer is ignored", self)
            return
        if self._forced_path is None:
            await spawn_viewer(port=port, **options)
        if connect:
            await self._connect(f"rerun+http://127.0.0.1:{port}/proxy", default, None, None)

    def _captured_blueprint(
        self, blueprint: BlueprintLike, make_active: bool, make_default: bool
    ) -> BlueprintJob | None:
        """A blueprint as it is now, or ``None`` if the stream takes none."""
        from aiorerun.blueprint_sending import capture, check_blueprint

        check_blueprint("send_blueprint", blueprint)
        if not self._takes_rows("send_blueprint"):
            return None
        return capture(
            "send_blueprint",
            blueprint,
            self._store.application_id,
            make_active=make_active,
            make_default=make_default,
        )

    async def _wait_until_connected(self, timeout: float) -> None:
        await self._on_engine_loop(_all_connected(self._attached(), timeout))


class AsyncLive(BaseLive, AsyncSending):
    """The methods of :class:`aiorerun.AsyncRecordingStream` that send to viewers."""

    async def send_blueprint(
        self, blueprint: BlueprintLike, *, make_active: bool = True, make_default: bool = True
    ) -> None:
        """Sends a blueprint to viewers of the recording: which views there are, and how they are laid out.

        It goes where the rows go, as a store of its own, and may overtake rows that :meth:`log` took before.
        It is captured as it is when the call first runs. Over the byte limit it waits, as :meth:`log` does.
        Cancelling it never loses a blueprint that was accepted.

        Args:
            blueprint: A :class:`aiorerun.blueprint.Blueprint`, a view or a container; or a blueprint out of a
                file, as :meth:`aiorerun.recording.RRDArchive.all_blueprints` gives them.
            make_active: Whether viewers show it now.
            make_default: Whether viewers show it after a reset, and also now if they have no other blueprint
                for this application.

        Raises:
            TypeError: It is no blueprint.
            ValueError: It is a recording out of a file.
            RrdError: Its file is damaged; nothing of it is sent.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        from aiorerun.blueprint_sending import send_async

        job = self._captured_blueprint(blueprint, make_active, make_default)
        if job is not None:
            await send_async(self, job)

    async def connect_grpc(
        self,
        url: str | None = None,
        *,
        default_blueprint: BlueprintLike | None = None,
        tls: ClientTls = None,
        token: str | None = None,
    ) -> None:
        """Sends the recording to a viewer or proxy from now on; what the start buffer holds goes first.

        It returns at once: the connection is made in the background, and again whenever it breaks. What was
        sent and not acknowledged is kept and sent again then, see :class:`aiorerun.GrpcSink`, which has
        more settings. Cancelling the call does not undo the change.

        Args:
            url: ``rerun+http://host:port/proxy``, or ``rerun://…`` with TLS; by default the viewer on this
                machine, ``rerun+http://127.0.0.1:9876/proxy``.
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            tls: The file of certificates to trust, or an ``ssl.SSLContext``; by default those of the system.
            token: Sent as ``authorization: Bearer …``.

        Raises:
            InvalidUrlError: The URL names no message proxy.
            TypeError: It is no text, or the token is none.
        """
        await self._connect(url, self._captured_default("connect_grpc", default_blueprint), tls, token)

    async def connected(self, timeout: float = 5.0) -> None:
        """Waits until all gRPC sinks of the stream are connected; returns at once if it has none.

        Cancelling it changes nothing.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: One of them is not connected by then; the text says why.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(timeout, "connected: timeout")
        await self._wait_until_connected(timeout)

    async def serve_grpc(
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
        """Serves the recording to any number of viewers from now on, native ones and browsers.

        Viewers that come late get what was logged before, as far as the memory limit allows. The server ends
        with :meth:`disconnect`, when other sinks replace it, or with the program. Cancelling the call does
        not undo the change.

        Args:
            grpc_port: Where to listen; by default 9876, and 0 takes a free port.
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            server_memory_limit: A part of the machine's memory (``"25%"``) or an amount (``"4GB"``). Beyond
                it the oldest data is forgotten, static data never. ``"0B"`` keeps nothing for late viewers.
            newest_first: Whether viewers get what they missed from the newest to the oldest.
            cors_allow_origin: More origins whose pages may read, with ``*`` for any characters.
            bind_ip: Where to listen. Anything but a loopback address needs ``token`` or ``insecure``.
            token: What readers and writers have to send as ``authorization: Bearer …``. The official viewer
                cannot.
            tls: Certificate file and key file, or an ``ssl.SSLContext``.
            insecure: Whether to listen to other machines without a token.

        Returns:
            What viewers open, such as ``rerun+http://127.0.0.1:9876/proxy``; ``[rerun is disabled]`` if the
            stream is disabled.

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
        return await self._serve(grpc_port, default, options)

    async def spawn(
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

        Cancelling it while the viewer starts ends the viewer, unless it is detached.

        Args:
            port: Where the viewer listens.
            connect: Whether to send the recording to it; otherwise the viewer is only started.
            memory_limit: What the viewer may keep: a part of the machine's memory, or ``"16GB"``.
            hide_welcome_screen: Whether the viewer starts without its welcome page.
            detach_process: Whether the viewer outlives this program.
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            server_memory_limit: What the server inside the viewer keeps for further viewers.
            executable_name: The viewer's name on the ``PATH``.
            executable_path: The viewer's file, instead of its name.

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
        await self._spawn(connect=connect, default=default, port=port, options=options)


async def spawn_viewer(**options: Any) -> None:
    """Starts a viewer, see :func:`aiorerun.viewer.spawn.spawn`."""
    from aiorerun.viewer.spawn import spawn

    await spawn(**options)


async def _all_connected(sinks: Sequence[Any], timeout: float) -> None:
    await asyncio.gather(*(sink.connected(timeout) for sink in sinks if hasattr(sink, "connected")))
