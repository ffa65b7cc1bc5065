"""Names of the RPCs, and what calls of them have in common."""

from __future__ import annotations

from typing import Final

from aiorerun.config import check_text

PROXY_SERVICE: Final = "rerun.sdk_comms.v1alpha1.MessageProxyService"
"""The service that messages are written to and read from."""

WRITE_MESSAGES: Final = f"/{PROXY_SERVICE}/WriteMessages"
READ_MESSAGES: Final = f"/{PROXY_SERVICE}/ReadMessages"
WRITE_TABLE: Final = f"/{PROXY_SERVICE}/WriteTable"
READ_TABLES: Final = f"/{PROXY_SERVICE}/ReadTables"

VIEWER_CONTROL_SERVICE: Final = "rerun.viewer_control.v1alpha1.ViewerControlService"
"""The service that viewers are driven by."""

VIEWER_CONTROL: Final = f"/{VIEWER_CONTROL_SERVICE}/ViewerControl"
EGUI_INSPECT: Final = f"/{VIEWER_CONTROL_SERVICE}/EguiInspect"


class RawCodec:
    """A codec for grpclib whose messages are their own bytes."""

    # The name belongs to grpclib. Peers know the content type with this ending as the plain one.
    __content_subtype__ = "proto"

    def encode(self, message: object, message_type: object) -> object:
        """The message itself."""
        return message

    def decode(self, data: bytes, message_type: object) -> bytes:
        """The data itself."""
        return data


def auth_metadata(token: str | None) -> dict[str, str]:
    """The metadata of calls to a server that asks for a token.

    Raises:
        ValueError: The token holds what HTTP headers cannot hold. The text does not show it.
        TypeError: It is no text.
    """
    if token is None:
        return {}
    check_text(token, "token", "what the server asks for, or None")
    if not token or not token.isascii() or not token.isprintable() or token != token.strip():
        raise ValueError("token: must be printable ASCII, without blanks at its ends, and not empty")
    return {"authorization": f"Bearer {token}"}
