"""The module-level functions of the blocking API that send to viewers, or start them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun import process, web_viewer
from aiorerun.config import DEFAULT_WEB_PORT
from aiorerun.live import SERVED_NOWHERE, spawn_viewer
from aiorerun.live_api import report_inactive
from aiorerun.stream_base import logger
from aiorerun.sync.api import _face

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Sequence

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.net.tls import ClientTls, ServerTls
    from aiorerun.portal import PortalLease
    from aiorerun.sync.stream import RecordingStream


class _Kept:
    """What keeps the private loop running for a page that is served: until the program ends."""

    lease: PortalLease | None = None


def _call(function: Callable[..., Awaitable[Any]], *, keep: bool = False) -> Any:
    """Runs a coroutine function on the private loop, which goes on running afterwards if ``keep``."""
    from aiorerun.portal import PortalLease

    if _Kept.lease is not None and _Kept.lease.is_valid:
        return _Kept.lease.call(function)
    lease = PortalLease()
    try:
        result = lease.call(function)
    except BaseException:
        lease.release()
        raise
    if keep:
        _Kept.lease = lease
    else:
        lease.release()
    return result


def _forget() -> None:
    _Kept.lease = None


process.on_fork.append(_forget)


def send_blueprint(
    blueprint: BlueprintLike,
    *,
    make_active: bool = True,
    make_default: bool = True,
    recording: RecordingStream | None = None,
) -> None:
    """Sends a blueprint to viewers of the active recording; see :meth:`RecordingStream.send_blueprint`.

    Raises:
        TypeError: It is no blueprint.
        ValueError: It is a recording out of a file; or, in strict mode only, no recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        report_inactive(blueprint)
    else:
        stream.send_blueprint(blueprint, make_active=make_active, make_default=make_default)


def connect_grpc(
    url: str | None = None,
    *,
    default_blueprint: BlueprintLike | None = None,
    tls: ClientTls = None,
    token: str | None = None,
    recording: RecordingStream | None = None,
) -> None:
    """Sends the active recording to a viewer; see :meth:`RecordingStream.connect_grpc`."""
    stream = _face.choose_for_sink("connect_grpc", recording)
    if stream is not None:
        stream.connect_grpc(url, default_blueprint=default_blueprint, tls=tls, token=token)


def serve_grpc(
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
    recording: RecordingStream | None = None,
) -> str:
    """Serves the active recording to viewers; see :meth:`RecordingStream.serve_grpc`.

    Without any recording nothing is served, and the result says that Rerun is disabled.
    """
    stream = _face.choose_for_sink("serve_grpc", recording)
    if stream is None:
        return SERVED_NOWHERE
    return stream.serve_grpc(
        grpc_port=grpc_port,
        default_blueprint=default_blueprint,
        server_memory_limit=server_memory_limit,
        newest_first=newest_first,
        cors_allow_origin=cors_allow_origin,
        bind_ip=bind_ip,
        token=token,
        tls=tls,
        insecure=insecure,
    )


def spawn(
    *,
    port: int = 9876,
    connect: bool = True,
    memory_limit: str = "75%",
    server_memory_limit: str = "0B",
    hide_welcome_screen: bool = False,
    detach_process: bool = True,
    executable_name: str = "rerun",
    executable_path: str | os.PathLike[str] | None = None,
    default_blueprint: BlueprintLike | None = None,
    recording: RecordingStream | None = None,
) -> None:
    """Starts the native viewer and sends the active recording to it; see :meth:`RecordingStream.spawn`.

    Without any recording, or with ``connect=False``, the viewer is only started.
    """
    stream = _face.choose(recording) if connect else None
    if stream is not None:
        stream.spawn(
            port=port,
            connect=connect,
            memory_limit=memory_limit,
            server_memory_limit=server_memory_limit,
            hide_welcome_screen=hide_welcome_screen,
            detach_process=detach_process,
            executable_name=executable_name,
            executable_path=executable_path,
            default_blueprint=default_blueprint,
        )
        return
    if connect:
        logger.warning("spawn: no recording is active, the viewer is only started; call init() first")

    async def start() -> None:
        await spawn_viewer(
            port=port,
            memory_limit=memory_limit,
            server_memory_limit=server_memory_limit,
            hide_welcome_screen=hide_welcome_screen,
            detach_process=detach_process,
            executable_name=executable_name,
            executable_path=executable_path,
        )

    _call(start)


def serve_web_viewer(
    *,
    web_port: int | None = None,
    open_browser: bool = True,
    connect_to: str | None = None,
    bind_ip: str = "127.0.0.1",
) -> None:
    """Serves the page of the web viewer until the program ends; see :func:`aiorerun.serve_web_viewer`.

    Raises:
        OSError: The port is taken.
        ImportError: The extra ``web`` is not installed.
    """
    port = DEFAULT_WEB_PORT if web_port is None else web_port

    async def serve() -> None:
        await web_viewer.serve(port, open_browser=open_browser, connect_to=connect_to, bind_ip=bind_ip)

    _call(serve, keep=True)


def start_web_viewer_server(port: int = 0) -> None:
    """Serves the page of the web viewer for notebooks; see :func:`aiorerun.start_web_viewer_server`.

    Raises:
        OSError: The port is taken.
        ImportError: The extra ``web`` is not installed.
    """

    async def start() -> None:
        await web_viewer.start_for_notebooks(port)

    _call(start, keep=True)
