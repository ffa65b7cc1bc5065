"""Which spill files there are, and how far they are sent and acknowledged. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True, eq=False)
class SpillFile:
    """A file with messages, in the order in which they were given.

    Attributes:
        path: Where it is.
        is_foreign: Whether a former program has left it: its rows are in nobody's statistics.
        first: The number of its first message; foreign messages have no numbers.
        size: Bytes up to the end of the last complete write.
        count: Messages in it that are not acknowledged, as far as that is known.
        rows: Rows of these.
        start: Where the first of these begins.
        sent_count: How many of them were sent over the present connection.
        sent_rows: Rows of those.
        is_damaged: Whether it has a part that cannot be read, for whatever reason but a missing end.
    """

    path: Path
    is_foreign: bool = False
    first: int = 0
    size: int = 0
    count: int = 0
    rows: int = 0
    start: int = 0
    sent_count: int = 0
    sent_rows: int = 0
    is_damaged: bool = False


@dataclass(slots=True)
class Forgotten:
    """What went with a file that was forgotten.

    Attributes:
        file: The file, to be deleted.
        sent_rows: Rows that were sent over the present connection, and not acknowledged.
        unsent_rows: Rows that were not.
        sent: The numbers of the sent messages: the first, and the one behind the last.
        unsent: The numbers of the others.
    """

    file: SpillFile
    sent_rows: int
    unsent_rows: int
    sent: tuple[int, int]
    unsent: tuple[int, int]


@dataclass(slots=True)
class SpillBook:
    """The files in order, and the place up to which they are sent.

    Args:
        limit: Bytes that all files together may have.
        files: Files that were found, oldest first.

    Attributes:
        nbytes: Bytes of all files.
        offset: Where in the file that is being sent the next message begins.
        end_number: The number that the next message will get.
    """

    limit: int
    files: list[SpillFile] = field(default_factory=list)
    nbytes: int = 0
    offset: int = 0
    end_number: int = 0
    _position: int = 0

    def add_file(self, file: SpillFile) -> None:
        """A file comes last from now on."""
        self.files.append(file)
        self.nbytes += file.size

    def grew(self, file: SpillFile, nbytes: int, count: int, rows: int) -> None:
        """Messages were written to the last file."""
        file.size += nbytes
        file.count += count
        file.rows += rows
        self.nbytes += nbytes
        self.end_number += count

    def current(self) -> SpillFile | None:
        """The file with the next message to send, ``None`` if all are sent."""
        while self._position < len(self.files):
            file = self.files[self._position]
            if self.offset < file.size:
                return file
            if self._position == len(self.files) - 1:
                break
            self._position += 1
            self.offset = self.files[self._position].start
        return None

    def next_number(self, file: SpillFile) -> int:
        """The number of the next message to send, which is in this file."""
        return file.first + file.sent_count

    def sent(self, file: SpillFile, offset: int, count: int, rows: int) -> None:
        """Messages of the current file were sent, up to this place in it."""
        file.sent_count += count
        file.sent_rows += rows
        self.offset = offset

    def rewind(self) -> None:
        """All that is not acknowledged is to be sent again."""
        for file in self.files:
            file.sent_count = file.sent_rows = 0
        self._position = 0
        self.offset = self.files[0].start if self.files else 0

    def acknowledge(self, keep: SpillFile | None = None) -> list[SpillFile]:
        """All that was sent has arrived; returns the files that are not needed any more.

        Args:
            keep: A file that is written to just now, and stays.
        """
        self.current()
        done, self.files = self.files[: self._position], self.files[self._position :]
        self._position = 0
        if self.files:
            file = self.files[0]
            file.start = self.offset
            file.first += file.sent_count
            file.count -= file.sent_count
            file.rows -= file.sent_rows
            file.sent_count = file.sent_rows = 0
            if self.offset >= file.size and file is not keep:
                done.append(self.files.pop(0))
                self.offset = self.files[0].start if self.files else 0
        self.nbytes -= sum(file.size for file in done)
        return done

    def shrink(self, keep: SpillFile | None = None) -> list[Forgotten]:
        """Forgets the oldest files as long as all together are over the limit.

        Args:
            keep: A file that is being sent just now, and stays. So does the last one.
        """
        gone: list[Forgotten] = []
        while self.nbytes > self.limit and len(self.files) > 1 and self.files[0] is not keep:
            gone.append(self.forget_first())
        return gone

    def forget_first(self) -> Forgotten:
        """Forgets the oldest file, of which there has to be one."""
        file = self.files.pop(0)
        self.nbytes -= file.size
        if self._position:
            self._position -= 1
        else:
            self.offset = self.files[0].start if self.files else 0
        middle = file.first + file.sent_count
        return Forgotten(
            file,
            file.sent_rows,
            file.rows - file.sent_rows,
            (file.first, middle),
            (middle, file.first + file.count),
        )
