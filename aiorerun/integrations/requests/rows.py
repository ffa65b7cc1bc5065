"""The row of a finished request: its components, packed without any detour.

A row is made once per request of a busy service, so its values are packed by one call of :mod:`struct`
instead of going through an archetype.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.catalog import BOOL, FLOAT64, UINT16, UINT64
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import FIXED
from aiorerun.types.form import ColumnSpec, Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.types.encoding import Encoding
    from aiorerun.types.form import Row

REQUEST: Final = "Request"
"""The archetype that components of requests belong to."""
WEB_SOCKET: Final = "WebSocket"
"""The archetype of what only WebSocket connections have."""

_LETTERS: Final[dict[Encoding, str]] = {BOOL: "?", FLOAT64: "d", UINT16: "H", UINT64: "Q"}
_SCALARS: Final = ComponentDescriptor(
    "Scalars:scalars", "rerun.archetypes.Scalars", "rerun.components.Scalar"
)

COLUMNS: Final[tuple[tuple[ComponentDescriptor, Encoding], ...]] = (
    # The duration in milliseconds; a scalar, so that viewers plot it without being told to.
    (_SCALARS, FLOAT64),
    # Until the response began, in milliseconds; NaN if it never did.
    (ComponentDescriptor("Request:first_byte", REQUEST), FLOAT64),
    # Of the response; 500 if an exception came instead of one, 0 if nothing did.
    (ComponentDescriptor("Request:status", REQUEST), UINT16),
    (ComponentDescriptor("Request:received_bytes", REQUEST), UINT64),
    (ComponentDescriptor("Request:sent_bytes", REQUEST), UINT64),
    (ComponentDescriptor("Request:client_disconnected", REQUEST), BOOL),
    (ComponentDescriptor("Request:failed", REQUEST), BOOL),
)
"""What a row has of every request."""

WEB_SOCKET_COLUMNS: Final[tuple[tuple[ComponentDescriptor, Encoding], ...]] = (
    *COLUMNS,
    (ComponentDescriptor("WebSocket:messages_received", WEB_SOCKET), UINT64),
    (ComponentDescriptor("WebSocket:messages_sent", WEB_SOCKET), UINT64),
    # 0 if the connection ended without one.
    (ComponentDescriptor("WebSocket:close_code", WEB_SOCKET), UINT16),
)
"""What a row has of a WebSocket connection."""


class PackedRow:
    """Something that can be logged: a row of fixed-width components.

    Args:
        form: Its columns.
        fixed: Their values, packed in the order of the columns.
    """

    __slots__ = ("_row",)

    def __init__(self, form: Form, fixed: bytes) -> None:
        self._row: Row = (form, fixed, ())

    def as_component_batches(self) -> list[Any]:
        """Not used: the row is there already."""
        raise NotImplementedError


def packed(
    columns: tuple[tuple[ComponentDescriptor, Encoding], ...],
) -> tuple[Form, Callable[..., bytes]]:
    """The form of a row with these columns, and what packs its values in their order."""
    form = Form.of([ColumnSpec(descriptor, encoding, FIXED) for descriptor, encoding in columns])
    letters = "".join([_LETTERS[encoding] for _, encoding in columns])
    return form, struct.Struct(f"<{letters}").pack


HTTP_FORM, pack_http = packed(COLUMNS)
HTTP_LETTERS: Final = "".join([_LETTERS[encoding] for _, encoding in COLUMNS])
"""How :mod:`struct` packs the values of a request."""
WEB_SOCKET_FORM: Final = packed(WEB_SOCKET_COLUMNS)[0]
CLOSED_FORM: Final = packed((*COLUMNS, WEB_SOCKET_COLUMNS[-1]))[0]
_pack_messages: Final = packed(WEB_SOCKET_COLUMNS[len(COLUMNS) :])[1]
_pack_code: Final = packed(WEB_SOCKET_COLUMNS[-1:])[1]
SCALAR_FORM, pack_scalar = packed(COLUMNS[:1])


def web_socket_row(request: PackedRow, received: int, sent: int, code: object) -> PackedRow:
    """The row of a WebSocket connection: what requests have, numbers of messages, and the close code."""
    return PackedRow(WEB_SOCKET_FORM, request._row[1] + _pack_messages(received, sent, _known_code(code)))


def closed_row(request: PackedRow, code: object) -> PackedRow:
    """The row of a WebSocket connection whose messages nobody has counted."""
    return PackedRow(CLOSED_FORM, request._row[1] + _pack_code(_known_code(code)))


def _known_code(code: object) -> int:
    return code if isinstance(code, int) and 0 <= code <= 0xFFFF else 0
