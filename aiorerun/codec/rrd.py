"""The encoder of RRD streams: files, standard output, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.codec import framing
from aiorerun.codec.footer_log import FooterLog
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.codec.manifest import ManifestBuilder, too_large
from aiorerun.codec.protobuf import tag, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

_MANIFEST_TAG: Final = tag(1, 2)


class RrdEncoder:
    """Makes an RRD stream of messages, piece by piece.

    Write what :meth:`start`, then :meth:`encode` for each message, and at last :meth:`finish` return.

    For the footer it keeps about a hundred bytes per chunk. With ``scratch`` only the last few MiB of them
    are in memory, and the footer itself is put together on disk, so memory stays flat however long the
    stream gets. A footer has a limit all the same: it describes at most 2**25 chunks, 2**16 combinations
    of entity and columns, and 2 GiB. A stream beyond that ends without one, as with ``write_footer=False``:
    the official programs read it from front to back, ``rerun rrd verify`` misses the footer.

    Args:
        scratch: Makes an empty temporary file, when it is first needed.
        write_footer: Whether the stream ends with a footer. Without, it ends with the last message; it can
            still be read, but only from front to back. Then nothing is kept after :meth:`settle`.
    """

    __slots__ = ("_log", "_position", "_write_footer")

    def __init__(self, scratch: Callable[[], BinaryIO] | None = None, *, write_footer: bool = True) -> None:
        self._position = 0
        self._write_footer = write_footer
        self._log = FooterLog(scratch, len(framing.stream_header()))
        if not write_footer:
            self._log.close()

    @property
    def nbytes(self) -> int:
        """How many bytes the stream has so far."""
        return self._position

    @property
    def estimated_nbytes(self) -> int:
        """About how many bytes the stream will have with its footer; rather too many."""
        return self._position + self._log.estimated_bytes

    @property
    def is_too_large(self) -> bool:
        """Whether there will be no footer, because nothing could read it."""
        return self._write_footer and self._log.is_closed

    def start(self) -> list[Segment]:
        """The header of the stream."""
        header = framing.stream_header()
        self._position = len(header)
        return [header]

    def encode(self, message: Message) -> list[Segment]:
        """The bytes of a message."""
        self._position += MESSAGE_HEADER.size + message.nbytes
        self._log.add(message, self._position)
        return [MESSAGE_HEADER.pack(message.kind, message.nbytes), *message.segments]

    def settle(self) -> None:
        """All messages so far were written for good: they will not be undone."""
        self._log.settle()

    def undo(self, count: int) -> None:
        """Forgets the last messages, which could not be written; none from before :meth:`settle`."""
        self._position = self._log.undo(count)

    def finish(self, announced: Iterable[StoreId] = ()) -> list[Segment]:
        """The end of the stream.

        Args:
            announced: Recordings that the footer lists if it has no chunks to list: readers that go by the
                footer find them, and ``rerun rrd verify`` takes a footer without any for damage.

        Raises:
            OSError: The scratch file could not be written.
        """
        if self._log.is_closed:
            return []
        payload: list[Segment] = []
        for manifest in ManifestBuilder(self._log).manifests(announced):
            payload += (_MANIFEST_TAG + varint(sum(map(len, manifest))), *manifest)
        nbytes = sum(map(len, payload))
        if too_large(nbytes):
            self._log.close()
            return []
        header = MESSAGE_HEADER.pack(MessageKind.END, nbytes)
        start = self._position + len(header)
        end = framing.stream_footer(start, *payload)
        self._position = start + nbytes + len(end)
        return [header, *payload, end]

    def release(self) -> None:
        """Gives the scratch file back, when what :meth:`finish` returned is written."""
        self._log.release()
