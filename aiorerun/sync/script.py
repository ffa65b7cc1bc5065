"""Options that make any script send its recording where the caller wants it; the blocking functions."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from aiorerun.sync import live_api
from aiorerun.sync.api import _face, init

if TYPE_CHECKING:
    from argparse import Namespace
    from uuid import UUID

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.sync.stream import RecordingStream


def script_setup(
    args: Namespace,
    application_id: str,
    *,
    recording_id: str | UUID | None = None,
    default_blueprint: BlueprintLike | None = None,
) -> RecordingStream:
    """Starts a recording in strict mode and sends it where the options say.

    See :func:`aiorerun.script_setup`.
    """
    init(application_id, recording_id=recording_id, strict=True, default_enabled=True)
    stream = _face.get_global_data_recording()
    assert stream is not None
    if args.stdout:
        stream.stdout(default_blueprint)
    elif args.serve:
        uri = stream.serve_grpc(default_blueprint=default_blueprint)
        live_api.serve_web_viewer(connect_to=uri)
    elif args.connect:
        stream.connect_grpc(args.url, default_blueprint=default_blueprint)
    elif args.save is not None:
        stream.save(args.save, default_blueprint)
    elif not args.headless:
        stream.spawn(default_blueprint=default_blueprint)
    return stream


def script_teardown(args: Namespace) -> None:
    """If the script serves its data, waits for Ctrl-C; otherwise returns at once."""
    if args.serve:
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
