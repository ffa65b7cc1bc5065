"""Options that make any script send its recording where the caller wants it; the asyncio functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiorerun import live_api
from aiorerun.api import _face, init

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from uuid import UUID

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.stream import AsyncRecordingStream


def script_add_args(parser: ArgumentParser) -> None:
    """Adds ``--headless --connect --serve --url URL --save PATH --stdout`` to a parser.

    What they ask for is done by :func:`script_setup`.
    """
    add = parser.add_argument
    add("--headless", action="store_true", help="start no viewer")
    add("--connect", action="store_true", help="send to a viewer that runs already")
    add("--serve", action="store_true", help="serve the data and the web viewer, and open it in a browser")
    add("--url", metavar="URL", help="the viewer to send to with --connect")
    add("--save", metavar="PATH", help="write to this .rrd file")
    add("--stdout", action="store_true", help="write to standard output, for a viewer at the end of a pipe")


async def script_setup(
    args: Namespace,
    application_id: str,
    *,
    recording_id: str | UUID | None = None,
    default_blueprint: BlueprintLike | None = None,
) -> AsyncRecordingStream:
    """Starts a recording in strict mode and sends it where the options say.

    The first of these that was asked for is done: standard output, serving, connecting, a file. Otherwise a
    viewer is started, unless ``--headless`` was given.

    Args:
        args: What the parser with the options of :func:`script_add_args` gave.
        application_id: As for :func:`init`.
        recording_id: As for :func:`init`.
        default_blueprint: What viewers show if they have no other blueprint for this application, and after a
            reset.

    Returns:
        The recording, which is the global one as well.
    """
    await init(application_id, recording_id=recording_id, strict=True, default_enabled=True)
    stream = _face.get_global_data_recording()
    assert stream is not None
    if args.stdout:
        await stream.stdout(default_blueprint)
    elif args.serve:
        uri = await stream.serve_grpc(default_blueprint=default_blueprint)
        await live_api.serve_web_viewer(connect_to=uri)
    elif args.connect:
        await stream.connect_grpc(args.url, default_blueprint=default_blueprint)
    elif args.save is not None:
        await stream.save(args.save, default_blueprint)
    elif not args.headless:
        await stream.spawn(default_blueprint=default_blueprint)
    return stream


async def script_teardown(args: Namespace) -> None:
    """If the script serves its data, waits for Ctrl-C or until it is cancelled; otherwise returns at once.

    Args:
        args: What :func:`script_setup` got.
    """
    if args.serve:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return
