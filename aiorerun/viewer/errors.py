"""What can go wrong with viewers."""

from __future__ import annotations

from typing import Final

UNAVAILABLE: Final = "UNAVAILABLE"
"""The status of a viewer that cannot be reached."""

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
"""The status of a viewer that did not answer in time."""


class ViewerError(RuntimeError):
    """A viewer refused what it was asked for, could not do it, or did not answer.

    Attributes:
        status: The name of the gRPC status, such as ``"NOT_FOUND"`` or ``"UNAVAILABLE"``.
        message: What the viewer says about it.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{message} [{status}]")
        self.status = status
        self.message = message

    def __reduce__(self) -> tuple[type[ViewerError], tuple[str, str]]:
        return type(self), (self.status, self.message)


class ViewerNotFoundError(FileNotFoundError, RuntimeError):
    """There is no viewer to start; the text says how to install one."""
