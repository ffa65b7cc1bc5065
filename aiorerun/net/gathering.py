"""Writes many pieces to a connection at once, without joining them where the system can do that."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_template import Segment

_WORTH_IT: Final = 64 << 10
"""Joining less costs nothing to speak of."""

_MAX_PIECES: Final = 512
"""Systems take at least 1,024 at once."""

_CAN_GATHER: Final = hasattr(os, "writev")


def gathering_descriptor(transport: Any) -> int | None:
    """The socket of a transport that pieces can be written to, past the transport, while that holds nothing.

    ``None`` over TLS, and where the system or the event loop has no such thing.
    """
    if not _CAN_GATHER or transport.get_extra_info("sslcontext") is not None:
        return None
    sock = transport.get_extra_info("socket")
    descriptor: int = -1 if sock is None else sock.fileno()
    return None if descriptor < 0 else descriptor


def write_pieces(transport: Any, descriptor: int | None, pieces: Sequence[Segment], nbytes: int) -> None:
    """Writes pieces in order; what the socket does not take now is left to the transport.

    Args:
        transport: Of a connection that is not closing.
        descriptor: What :func:`gathering_descriptor` gave for it.
        pieces: What to write.
        nbytes: How many bytes they have.
    """
    written = 0
    if (
        descriptor is not None
        and nbytes >= _WORTH_IT
        and len(pieces) <= _MAX_PIECES
        # Otherwise what it holds comes first.
        and not transport.get_write_buffer_size()
    ):
        try:
            written = os.writev(descriptor, pieces)
        except OSError:
            # No room, or the connection is broken, which the transport will find out and tell.
            written = 0
    if written == nbytes:
        return
    rest = pieces if not written else _after(pieces, written)
    if rest:
        # One buffer: transports differ in whether they count several against their limit.
        transport.write(b"".join(rest))


def _after(pieces: Sequence[Segment], nbytes: int) -> list[Segment]:
    """What is left of the pieces behind so many bytes."""
    ends = list(accumulate(map(len, pieces)))
    position = bisect_right(ends, nbytes)
    if position == len(pieces):
        return []
    piece = pieces[position]
    return [memoryview(piece)[len(piece) - (ends[position] - nbytes) :], *pieces[position + 1 :]]
