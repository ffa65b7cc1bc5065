"""Writing a dump: a complete file, or none. All of it blocks."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.flight.cutting import cut
from aiorerun.sinks.part_folder import PartFolder
from aiorerun.sinks.part_names import OPEN_SUFFIX
from aiorerun.sinks.rrd_file import WRITE_FLAGS, RrdFile
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreKind
from aiorerun.worker import pause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message
    from aiorerun.flight.ring import Snapshot
    from aiorerun.sinks.part_names import PartNames

_GROUP_BYTES: Final = 1 << 20
"""About so much is written at a time."""


class Evidence(NamedTuple):
    """What a dump holds.

    Attributes:
        first: Announcements, properties, blueprints, static data.
        snapshot: Chunks with times.
        begin_ns: Rows that were captured by then are left out; nanoseconds since the epoch.
        end_ns: And rows that were captured later than this.
    """

    first: Sequence[Message]
    snapshot: Snapshot
    begin_ns: int
    end_ns: int

    def messages(self) -> Iterable[Message]:
        """All messages of the dump."""
        yield from self.first
        yield from cut(self.snapshot.messages(), self.begin_ns, self.end_ns, ids, pause)


class Dump(NamedTuple):
    """A dump that was written: where it is, and how many rows with times it has."""

    path: Path
    rows: int


def write_dump(evidence: Evidence, path: Path | None, names: PartNames) -> Dump:
    """Writes a dump. The file appears when it is complete.

    Args:
        evidence: What it holds.
        path: Where to; a file that is there is replaced. ``None`` takes a name that is free.
        names: What free names look like.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    folder = PartFolder(names)
    if path is None:
        folder.folder = folder.folder.absolute()
        open_path, fd = folder.create(time.time())
    else:
        path = path.absolute()
        open_path = path.with_name(f"{path.name}.{secrets.token_hex(4)}{OPEN_SUFFIX}")
        fd = os.open(open_path, WRITE_FLAGS | os.O_EXCL, 0o666)
    try:
        rows = _write(evidence, open_path, fd)
        if path is None:
            return Dump(folder.publish(open_path, 0), rows)
        open_path.replace(path)
        return Dump(path, rows)
    except BaseException:
        with contextlib.suppress(OSError):
            open_path.unlink()
        raise


def _write(evidence: Evidence, path: Path, fd: int) -> int:
    file = RrdFile(path, fd, write_footer=True)
    try:
        file.start()
        rows, size = 0, 0
        group: list[Message] = []
        for message in evidence.messages():
            if message.store.kind is StoreKind.RECORDING and message.index is not None:
                rows += message.rows if message.index.group.columns.timelines else 0
            group.append(message)
            size += message.nbytes
            if size >= _GROUP_BYTES:
                file.write(group)
                group, size = [], 0
                pause()
        file.write(group)
        file.finish()
    finally:
        file.close()
    return rows
