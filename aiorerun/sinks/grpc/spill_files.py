"""Reading and writing spill files. Everything here blocks, and runs in the worker."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.sinks.grpc.spill_format import (
    HEADER,
    MAGIC,
    CutOffRecord,
    DamagedRecord,
    decode_record,
    payload_length,
)
from aiorerun.sinks.rrd_file import write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.sinks.grpc.spill_format import Record

DAMAGED_SUFFIX: Final = ".damaged"
"""How the names of files end that could not be read to their end, and are left to people."""

MAX_DAMAGED: Final = 8
"""So many of them are kept for each server."""


class Append(NamedTuple):
    """What is to be written to one file.

    Attributes:
        path: The file.
        size: Where it ends; 0 for one that does not exist yet.
        pieces: What comes behind that.
    """

    path: Path
    size: int
    pieces: Sequence[Segment]


class Chapter(NamedTuple):
    """What was read from a file.

    Attributes:
        records: In order.
        end: Where the next one begins.
        damage: Why nothing more can be read, if that is so.
        has_rest: Whether there is anything behind the damage, which people may want to look at.
    """

    records: list[Record]
    end: int
    damage: str | None = None
    has_rest: bool = False


def append_all(appends: Sequence[Append]) -> None:
    """Writes everything, or (raising) leaves all files as they were.

    What is written has been passed to the operating system: it survives the end of the program by whatever
    means, but not a loss of power.

    Raises:
        OSError: Not everything could be written.
    """
    done: list[Append] = []
    try:
        for append in appends:
            done.append(append)
            _append(append)
    except BaseException:
        for append in done:
            with contextlib.suppress(OSError):
                if append.size:
                    os.truncate(append.path, append.size)
                else:
                    append.path.unlink()
        raise


def _append(append: Append) -> None:
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not append.size:
        flags |= os.O_CREAT | os.O_EXCL
    fd = os.open(append.path, flags, 0o600)
    try:
        write_all(fd, append.pieces if append.size else [MAGIC, *append.pieces])
    finally:
        os.close(fd)


def read_chapter(path: Path, start: int, end: int, nbytes: int) -> Chapter:
    """Reads records: about so many bytes, at least one.

    Args:
        path: The file.
        start: Where the first record begins; 0 is the beginning of the file.
        end: Where the last one ends.
        nbytes: How much.

    Raises:
        OSError: Reading does not work just now, as when there are too many open files. That says nothing
            about the file: it is to be tried again.
    """
    try:
        with path.open("rb", buffering=0) as file:
            if not start:
                magic = file.read(len(MAGIC))
                if magic != MAGIC:
                    return Chapter([], end, "it is no spill file", has_rest=len(magic) == len(MAGIC))
                start = len(MAGIC)
            file.seek(start)
            return _read(file.fileno(), start, end, nbytes)
    except FileNotFoundError:
        return Chapter([], end, "it is gone")


def _read(fd: int, start: int, end: int, nbytes: int) -> Chapter:
    data = memoryview(_read_bytes(fd, min(max(nbytes, HEADER.size), end - start)))
    records: list[Record] = []
    position = 0
    while start + position < end:
        rest = data[position:]
        try:
            # Known before memory is taken for it: a length out of a damaged header is no reason to.
            size = HEADER.size + payload_length(rest[: HEADER.size])
            if start + position + size > end:
                return Chapter(records, end, "its last record is cut off")
            if size > len(rest):
                if records:
                    break
                missing = _read_bytes(fd, size - len(rest))
                data, position = memoryview(b"".join((rest, missing))), 0
                records.append(decode_record(data))
                return Chapter(records, start + size)
            record = decode_record(rest)
        except DamagedRecord as error:
            if records and len(rest) < HEADER.size and start + position + HEADER.size <= end:
                # Only what was read ends here, not the file.
                break
            return Chapter(records, end, str(error), has_rest=not isinstance(error, CutOffRecord))
        records.append(record)
        position += record.size
    return Chapter(records, start + position)


def _read_bytes(fd: int, nbytes: int) -> bytes:
    pieces: list[bytes] = []
    while nbytes > 0:
        piece = os.read(fd, min(nbytes, 1 << 30))
        if not piece:
            break
        pieces.append(piece)
        nbytes -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def remove(paths: Iterable[Path]) -> None:
    """Deletes files; those that are gone already do not matter."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def set_aside(paths: Iterable[Path]) -> None:
    """Moves damaged files out of the subdirectories of sinks, which nobody would look into any more.

    Only a few are kept for each server, so that a bad disk does not fill up; the oldest go first.
    """
    for path in paths:
        aside = path.parent.with_name(f"{path.parent.name}-{path.stem}{DAMAGED_SUFFIX}")
        with contextlib.suppress(OSError):
            path.rename(aside)
            target = path.parent.name.partition("-")[0]
            kept = sorted(aside.parent.glob(f"{target}-*{DAMAGED_SUFFIX}"))
            remove(kept[:-MAX_DAMAGED])
