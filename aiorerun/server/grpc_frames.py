"""Frames of gRPC-web: what the server itself says in an answer, and the text variant."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from aiorerun.net.logmsg import PREFIX
from aiorerun.server.rpc_error import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.codec.chunk_template import Segment

TRAILER_FLAG: Final = 0x80
EMPTY: Final = PREFIX.pack(0, 0)
"""The gRPC message without a byte: the request of readers and the answer to writers."""

_SHOWN: Final = frozenset(range(0x20, 0x7F)) - {ord("%")}
"""Characters that stand for themselves in the message of a status."""


class Base64Decoder:
    """Decodes base64 that comes in pieces, and that may have padding inside."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Decodes the next piece as far as possible.

        Raises:
            RpcError: It is no base64.
        """
        data = self._rest + data
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        decoded: list[bytes] = []
        start = 0
        while start < whole:
            padding = data.find(b"=", start, whole)
            end = whole if padding < 0 else padding // 4 * 4 + 4
            try:
                decoded.append(binascii.a2b_base64(data[start:end], strict_mode=True))
            except binascii.Error:
                raise RpcError(Code.INTERNAL, "the body is no base64") from None
            start = end
        return b"".join(decoded)

    def finish(self) -> None:
        """There is no more.

        Raises:
            RpcError: It ended inside a group.
        """
        if self._rest:
            raise RpcError(Code.INTERNAL, "the body ended inside a group of base64")


def trailer_frame(code: Code, reason: str = "") -> bytes:
    """The last frame of a gRPC-web answer."""
    text = f"grpc-status:{int(code)}\r\n"
    if reason:
        text += f"grpc-message:{encode_reason(reason)}\r\n"
    return PREFIX.pack(TRAILER_FLAG, len(text)) + text.encode("ascii")


def encode_reason(reason: str) -> str:
    """The text of a status as headers hold it: percent-encoded where it is not plain ASCII."""
    return "".join(chr(byte) if byte in _SHOWN else f"%{byte:02X}" for byte in reason.encode())


def encode_base64(segments: Iterable[Segment]) -> bytes:
    """One frame of the text variant."""
    return base64.b64encode(b"".join(memoryview(segment).cast("B") for segment in segments))
