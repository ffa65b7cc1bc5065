"""How calls fail: the status codes of gRPC that this server gives."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Status codes, with the numbers of gRPC."""

    OK = 0
    INVALID_ARGUMENT = 3
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """A call that failed.

    Attributes:
        code: The status it is answered with.
        reason: What the peer is told.
    """

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason
