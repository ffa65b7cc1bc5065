"""The module-level functions of the asyncio API that send to viewers, or start them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun import web_viewer
from aiorerun.api import _face
from aiorerun.blueprint_sending import check_blueprint
from aiorerun.config import DEFAULT_WEB_PORT
from aiorerun.errors import report
from aiorerun.live import SERVED_NOWHERE, spawn_viewer
from aiorerun.stream_base import logger

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.net.tls import ClientTls, ServerTls
    from aiorerun.stream import AsyncRecordingStream


async def send_blueprint(
    blueprint: BlueprintLike,
    *,
    make_active: bool = True,
    make_default: bool = True,
    recording: AsyncRecordingStream | None = None,
) -> None:
    """Sends a blueprint to viewers of the active recording; see :meth:`AsyncRecordingStream.send_blueprint`.

    Raises:
        TypeError: It is no blueprint.
        ValueError: It is a recording out of a file; or, in strict mode only, no recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        report_inactive(blueprint)
    else:
        await stream.send_blueprint(blueprint, make_active=make_active, make_default=make_default)


async def connect_grpc(
    url: str | None = None,
    *,
    default_blueprint: BlueprintLike | None = None,
    tls: ClientTls = None,
    token: str | None = None,
    recording: AsyncRecordingStream | None = None,
) -> None:
    """Sends the active recording to a viewer; see :meth:`AsyncRecordingStream.connect_grpc`."""
    stream = _face.choose_for_sink("connect_grpc", recording)
    if stream is not None:
        await stream.connect_grpc(url, default_blueprint=default_blueprint, tls=tls, token=token)


async def serve_grpc(
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
    recording: AsyncRecordingStream | None = None,
) -> str:
    """Serves the active recording to viewers; see :meth:`AsyncRecordingStream.serve_grpc`.

    Without any recording nothing is served, and the result says that Rerun is disabled.
    """
    stream = _face.choose_for_sink("serve_grpc", recording)
    if stream is None:
        return SERVED_NOWHERE
    return await stream.serve_grpc(
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


async def spawn(
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
    recording: AsyncRecordingStream | None = None,
) -> None:
    """Starts the native viewer and sends the active recording to it; see :meth:`AsyncRecordingStream.spawn`.

    Without any recording, or with ``connect=False``, the viewer is only started.
    """
    stream = _face.choose(recording) if connect else None
    if stream is None:
        if connect:
            logger.warning("spawn: no recording is active, the viewer is only started; call init() first")
        await spawn_viewer(
            port=port,
            memory_limit=memory_limit,
            server_memory_limit=server_memory_limit,
            hide_welcome_screen=hide_welcome_screen,
            detach_process=detach_process,
            executable_name=executable_name,
            executable_path=executable_path,
        )
        return
    await stream.spawn(
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


def report_inactive(blueprint: object) -> None:
    """Reports that there is no recording for a blueprint."""
    check_blueprint("send_blueprint", blueprint)
    error = ValueError("no recording is active; call init() first, or pass recording=")
    report("send_blueprint", error)


async def serve_web_viewer(
    *,
    web_port: int | None = None,
    open_browser: bool = True,
    connect_to: str | None = None,
    bind_ip: str = "127.0.0.1",
) -> None:
    """Serves the page of the web viewer, and opens it in a browser. It is no sink: see :func:`serve_grpc`.

    It returns at once; the page is served as long as the event loop runs. Needs the extra ``web``.

    Args:
        web_port: Where; by default 9090, and 0 takes a free port.
        open_browser: Whether to open the page in the browser of this machine.
        connect_to: What the page that is opened shows, such as the result of :func:`serve_grpc`.
        bind_ip: The address to listen on.

    Raises:
        OSError: The port is taken.
        ImportError: The extra ``web`` is not installed.
    """
    port = DEFAULT_WEB_PORT if web_port is None else web_port
    await web_viewer.serve(port, open_browser=open_browser, connect_to=connect_to, bind_ip=bind_ip)


async def start_web_viewer_server(port: int = 0) -> None:
    """Serves the page of the web viewer for notebooks, which use it instead of the public one then.

    Args:
        port: Where; 0 takes a free port.

    Raises:
        OSError: The port is taken.
        ImportError: The extra ``web`` is not installed.
    """
    await web_viewer.start_for_notebooks(port)
