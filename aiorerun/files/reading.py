"""Reading files from front to back, message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decoder import RawMessage
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.recording.scan import MessageScanner
from aiorerun.recording.source import open_source

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self, TypeVar

    from aiorerun.recording.source import Source

    T = TypeVar("T")


class Note(NamedTuple):
    """Something about a file that its reader should know.

    Attributes:
        name: The file.
        offset: Where in it.
        text: What is the matter.
    """

    name: str
    offset: int
    text: str

    def __str__(self) -> str:
        return f"{self.name}:{self.offset}: {self.text}"


class FileReader:
    """Gives the messages of a file.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        on_note: Is told of what is incomplete at the end, and of damage that is passed over.
        skip_damage: Whether damaged messages are passed over; by default they are raised.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_note: Callable[[Note], object],
        *,
        skip_damage: bool = False,
    ) -> None:
        self.source: Source = open_source(path)
        self.on_note = on_note
        self._skip = skip_damage
        self.size = self.source.size()

    def messages(
        self, make: Callable[[RawMessage], T], on_progress: Callable[[int], object] | None = None
    ) -> Iterator[tuple[RawMessage, T]]:
        """All complete messages, each with what was made of it.

        Raises:
            RrdError: It is no RRD file, or damaged; where is in a note on it.
        """
        scanner = MessageScanner(self.source, MAX_BYTES)
        while True:
            try:
                raw = scanner.next(self.size)
            except RrdError as error:
                self._tell(error, scanner.offset)
                return
            if raw is None:
                break
            try:
                made = make(raw)
            except RrdError as error:
                self._tell(error, raw.offset - MESSAGE_HEADER.size)
            else:
                yield raw, made
            if on_progress is not None:
                on_progress(scanner.offset)
            # The next one is only read when this one is let go.
            made = raw = None  # type: ignore[assignment]
        rest = self.size - scanner.offset
        if rest and not scanner.has_ended:
            text = f"the file is cut off: an incomplete message of {rest} bytes is left out"
            self.on_note(Note(self.source.name, scanner.offset, text))

    def read(self, offset: int, size: int) -> RawMessage:
        """The message of a chunk whose payload is there.

        Raises:
            RrdError: The file has changed.
        """
        framed = self.source.read(offset - MESSAGE_HEADER.size, MESSAGE_HEADER.size + size)
        if len(framed) < MESSAGE_HEADER.size + size:
            raise RrdError(f"{self.source.name} has become shorter while it was read")
        kind, length = MESSAGE_HEADER.unpack_from(framed)
        if length != size or not MessageKind.END < kind <= MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
            raise RrdError(f"{self.source.name} has changed while it was read")
        return RawMessage(MessageKind(kind), memoryview(framed)[MESSAGE_HEADER.size :], offset)

    def _tell(self, error: RrdError, offset: int) -> None:
        if not self._skip:
            error.add_note(f"in the message at byte {offset} of {self.source.name}")
            raise error
        self.on_note(Note(self.source.name, offset, f"left out: {error}"))

    def close(self) -> None:
        """Closes the file."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def no_note(note: Note) -> None:
    """Tells nobody."""
