"""Puts gRPC messages together from the bytes that come in."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from aiorerun.net.logmsg import MAX_BODY, PREFIX

if TYPE_CHECKING:
    from typing import Literal

Body: TypeAlias = "bytes | memoryview"
"""What a gRPC message holds, without its prefix."""

_PIECES: Final = 1 << 20
"""Longer bodies are filled in place; shorter ones are joined from the pieces they came in."""


class BadMessageError(ValueError):
    """What came in is no gRPC message, or a message longer than allowed.

    Attributes:
        code: The gRPC status that its sender is answered with.
    """

    def __init__(self, code: Literal["RESOURCE_EXHAUSTED", "INTERNAL", "UNIMPLEMENTED"], reason: str) -> None:
        super().__init__(reason)
        self.code: Final = code


class MessageAssembler:
    """Takes the bytes of one direction of a call, cut anywhere, and gives the bodies of its messages.

    Nothing is allocated because of what a prefix says: bodies take memory as their bytes come in. Each byte
    is copied once, or twice if it is in a short body that came in pieces. None of what is passed in is kept.

    Args:
        max_body: The longest body that is accepted.

    Attributes:
        bodies: The complete ones; whoever takes them empties the list.
    """

    __slots__ = ("_filled", "_head", "_length", "_max_body", "_pieces", "_view", "bodies")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._head = b""
        # Length of the body that is not complete, and how much of it is there; -1 between bodies.
        self._length = -1
        self._filled = 0
        self._pieces: list[bytes] = []
        self._view: memoryview | None = None
        self.bodies: list[Body] = []

    @property
    def is_between(self) -> bool:
        """Whether what came in so far ends where a message ends."""
        return self._length < 0 and not self._head

    def feed(self, data: bytes, start: int, end: int) -> None:
        """Takes ``data[start:end]``.

        Raises:
            BadMessageError: A message is compressed or too long. Nothing more can be read after that.
        """
        if self._length >= 0:
            start = self._continue(data, start, end)
        elif self._head and start < end:
            taken = PREFIX.size - len(self._head)
            self._head += data[start : min(start + taken, end)]
            start += taken
            if len(self._head) < PREFIX.size:
                return
            flag, length = PREFIX.unpack(self._head)
            self._head = b""
            start = self._begin(flag, length, data, start, end)
        bodies, size, unpack = self.bodies, PREFIX.size, PREFIX.unpack_from
        max_body = self._max_body
        while end - start >= size:
            flag, length = unpack(data, start)
            start += size
            if flag or length > max_body or start + length > end:
                start = self._begin(flag, length, data, start, end)
            else:
                bodies.append(data[start : start + length])
                start += length
        if start < end and self._length < 0:
            self._head = data[start:end]

    def _begin(self, flag: int, length: int, data: bytes, start: int, end: int) -> int:
        """Begins a body, and says where the rest of the data starts."""
        if flag == 1:
            raise BadMessageError("UNIMPLEMENTED", "compressed gRPC messages are not supported")
        if flag:
            raise BadMessageError("INTERNAL", f"a gRPC message has flag {flag}")
        if length > self._max_body:
            raise BadMessageError(
                "RESOURCE_EXHAUSTED", f"a message has {length} bytes; the limit is {self._max_body}"
            )
        self._length, self._filled = length, 0
        if length > _PIECES:
            self._view = memoryview(_room(length))
        return self._continue(data, start, end)

    def _continue(self, data: bytes, start: int, end: int) -> int:
        """Takes what belongs to the body that was begun, and says where the rest of the data starts."""
        size = min(self._length - self._filled, end - start)
        if self._view is not None:
            with memoryview(data) as view:
                self._view[self._filled : self._filled + size] = view[start : start + size]
        elif size:
            self._pieces.append(data[start : start + size])
        self._filled += size
        if self._filled == self._length:
            self._finish()
        return start + size

    def _finish(self) -> None:
        if self._view is not None:
            self.bodies.append(self._view.toreadonly())
            self._view = None
        else:
            self.bodies.append(b"".join(self._pieces))
            self._pieces = []
        self._length, self._filled = -1, 0


def _room(length: int) -> mmap.mmap:
    """Memory that is taken only where it is filled, and never moved or cleared at once.

    Raises:
        BadMessageError: There is not so much.
    """
    try:
        if sys.platform == "win32":
            return mmap.mmap(-1, length)
        room = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, ValueError, MemoryError):
        reason = f"there is no memory for a message of {length} bytes"
        raise BadMessageError("RESOURCE_EXHAUSTED", reason) from None
    if sys.platform == "linux":
        # Fewer and larger pages are filled much faster. Kernels may know no such pages.
        with suppress(OSError):
            room.madvise(mmap.MADV_HUGEPAGE)
    return room
