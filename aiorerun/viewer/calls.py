"""One call of a viewer's control service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import betterproto2
from grpclib.const import Cardinality
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from aiorerun.net.methods import VIEWER_CONTROL
from aiorerun.proto.rerun.viewer_control import v1alpha1 as messages
from aiorerun.viewer.errors import UNAVAILABLE, ViewerError

if TYPE_CHECKING:
    from aiorerun.net.channel import WireChannel

_REQUESTS: Final = {
    "close": messages.CloseRequest,
    "describe_commands": messages.DescribeCommandsRequest,
    "get_location": messages.GetLocationRequest,
    "get_logs": messages.GetLogsRequest,
    "get_recording_schema": messages.GetRecordingSchemaRequest,
    "get_state": messages.GetStateRequest,
    "list_commands": messages.ListCommandsRequest,
    "open": messages.OpenRequest,
    "run_command": messages.RunCommandRequest,
    "save_screenshot": messages.SaveScreenshotRequest,
    "set_location": messages.SetLocationRequest,
    "set_time_cursor": messages.SetTimeCursorRequest,
}


def request_of(kind: str, fields: dict[str, Any]) -> bytes:
    """The bytes of a request. Fields that are ``None`` are left out.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: A number is too large or negative.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    for name in ("max_size", "max_entities", "after_sequence"):
        limit = 64 if name == "after_sequence" else 32
        if name in given and not 0 <= given[name] < 1 << limit:
            raise ValueError(f"{name}={given[name]}: must be from 0 to 2**{limit} - 1")
    # What kind it is is only known here, so no type checker can follow.
    request: Any = _REQUESTS[kind](**given)
    return bytes(messages.ViewerControlRequest(**{kind: request}))


async def ask(channel: WireChannel, kind: str, request: bytes) -> Any:
    """Sends a request and waits for the answer.

    Cancelling it ends the call, not the connection.

    Returns:
        The part of the answer that is of the same kind.

    Raises:
        ViewerError: The viewer refuses, is gone, or answers with something else.
    """
    try:
        async with channel.request(VIEWER_CONTROL, Cardinality.UNARY_UNARY, bytes, bytes) as stream:
            await stream.send_message(request, end=True)
            answer = await stream.recv_message()
    except GRPCError as error:
        raise ViewerError(error.status.name, f"{kind}: {error.message or 'no reason given'}") from error
    except (OSError, StreamTerminatedError, ProtocolError) as error:
        raise ViewerError(UNAVAILABLE, f"{kind}: the connection to the viewer broke: {error}") from error
    return _answer_of(kind, answer)


def _answer_of(kind: str, answer: bytes | None) -> Any:
    try:
        given = None if answer is None else messages.ViewerControlResponse.parse(answer)
    except (ValueError, EOFError, TypeError) as error:
        raise ViewerError("INTERNAL", f"{kind}: the viewer's answer cannot be read: {error}") from error
    name, value = ("", None) if given is None else betterproto2.which_one_of(given, "kind")
    if name != kind:
        raise ViewerError("INTERNAL", f"{kind}: the viewer has answered with {name or 'nothing'}")
    return value
