"""What servers answer when they refuse something."""

from __future__ import annotations

from aiorerun.sinks.base import SinkUnavailable

STATUS_NAMES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The names of gRPC status codes, by number."""

_REFUSALS = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_MAX_TEXT = 300


class ServerStatusError(ConnectionError):
    """The server has answered with an error.

    Attributes:
        code: The gRPC status code.
        status: Its name, such as ``"INVALID_ARGUMENT"``.
        text: What the server says about it, cut off where it gets long.
    """

    def __init__(self, code: int, text: str | None) -> None:
        self.code = code
        self.status = STATUS_NAMES[code] if 0 <= code < len(STATUS_NAMES) else f"status {code}"
        # It comes from outside: no line of a log is broken by it, or filled without end.
        self.text = "".join(char if char.isprintable() else " " for char in (text or "")[:_MAX_TEXT])
        super().__init__(f"the server answered {self.status}: {self.text}" if self.text else
                         f"the server answered {self.status}")  # fmt: skip

    @property
    def is_refusal(self) -> bool:
        """Whether the server does not let us write: trying again soon is of no use."""
        return self.status in _REFUSALS

    @property
    def is_about_data(self) -> bool:
        """Whether what was sent is to blame, so that it would be refused again."""
        return self.status == "INVALID_ARGUMENT"


class ServerUnavailable(ServerStatusError, SinkUnavailable):
    """The server has answered with an error, and nothing of the call was taken; it is tried again later."""
