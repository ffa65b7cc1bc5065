"""Makes entries of what comes in, from the network or from this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.codec.decode_messages import message_fields, view_field
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.net.logmsg import PREFIX, MalformedMessage, frame, frame_body, parse_log_msg
from aiorerun.server.entries import Entry, Queue
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.net.logmsg import Framed


def entry_of_message(message: Message) -> Entry:
    """The entry of an encoded message of this process; it shares the buffers of the message.

    Raises:
        MessageTooLargeError: It has more than 2 GiB.
    """
    if message.kind is not MessageKind.ARROW_MSG or message.store.kind is StoreKind.BLUEPRINT:
        queue = Queue.PERSISTENT
    elif message.index is not None and not message.index.group.columns.timelines:
        queue = Queue.STATIC
    else:
        queue = Queue.DISPOSABLE
    return Entry(frame(message), queue)


def entry_of_body(body: Segment) -> Entry:
    """The entry of a ``WriteMessagesRequest``; it is passed on as it came.

    Raises:
        MalformedMessage: It holds no message.
    """
    parsed = parse_log_msg(body)
    if parsed.is_persistent:
        queue = Queue.PERSISTENT
    else:
        queue = Queue.STATIC if parsed.is_static else Queue.DISPOSABLE
    return Entry(frame_body(body), queue)


def entry_of_table(body: Segment) -> Entry:
    """The entry of a ``WriteTableRequest``; its response has the same form.

    Raises:
        MalformedMessage: It has no id or no data, or is no message.
    """
    try:
        read = message_fields(memoryview(body))
        for number, name in ((1, "id"), (2, "data")):
            if number not in read:
                raise MalformedMessage("INVALID_ARGUMENT", f"the request has no {name}")
            message_fields(view_field(read, number))
    except RrdError as error:
        raise MalformedMessage("INTERNAL", f"failed to decode a message: {error}") from None
    return Entry(frame_body(body), Queue.TABLE)


def arrow_msg_of(framed: Framed) -> memoryview:
    """The ``ArrowMsg`` in a framed message that holds one."""
    body = b"".join(memoryview(segment).cast("B") for segment in framed.segments)
    return parse_log_msg(memoryview(body)[PREFIX.size :]).payload
