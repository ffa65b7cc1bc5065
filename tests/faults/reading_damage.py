"""Reads damaged copies of RRD streams, in a process of its own: ``python -m tests.faults.reading_damage``.

A crash of pyarrow ends this process, which the test that started it sees, as it sees any error but our own.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import random
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.codec.compression import LZ4, NONE, decompress
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_footer
from aiorerun.codec.messages import arrow_msg_head
from aiorerun.codec.protobuf import bytes_field, fields, varint_field
from aiorerun.sync import recording as reading

if TYPE_CHECKING:
    from collections.abc import Callable

SLOWEST_SECS: Final = 5.0
"""Longer than this, reading one damaged stream is called a hang."""

_HOSTILE: Final = (
    *(0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    *(1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
)


def flip_bits(data: bytearray, chooser: random.Random) -> None:
    """A few single bits."""
    for _ in range(chooser.randint(1, 8)):
        data[chooser.randrange(len(data))] ^= 1 << chooser.randrange(8)


def put_number(data: bytearray, chooser: random.Random) -> None:
    """A number that asks for much, somewhere, in 4 or 8 bytes."""
    width = chooser.choice((4, 8))
    position = chooser.randrange(max(1, len(data) - width))
    value = chooser.choice(_HOSTILE) & ((1 << 8 * width) - 1)
    data[position : position + width] = value.to_bytes(width, "little")


def put_nearby(data: bytearray, chooser: random.Random) -> None:
    """A small change of a number, as offsets that lead elsewhere have."""
    position = chooser.randrange(max(1, len(data) - 4))
    value = struct.unpack_from("<I", data, position)[0] + chooser.choice((-8, -4, -1, 1, 4, 8, 16, 64))
    struct.pack_into("<I", data, position, value & 0xFFFF_FFFF)


def move_bytes(data: bytearray, chooser: random.Random) -> None:
    """Some bytes in another place."""
    size = chooser.choice((4, 8, 16, 64))
    source, target = (chooser.randrange(max(1, len(data) - size)) for _ in range(2))
    data[target : target + size] = data[source : source + size]


_DAMAGE: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    flip_bits, put_number, put_nearby, move_bytes,
)  # fmt: skip


def damaged(data: bytes | bytearray, chooser: random.Random) -> bytes:
    """Some bytes with one kind of damage."""
    copy = bytearray(data)
    if copy:
        chooser.choice(_DAMAGE)(copy, chooser)
    return bytes(copy)


def arrow_stream(message: ArrowMsg) -> bytes:
    """The Arrow IPC stream of a chunk."""
    data: Any = decompress(message.payload, message.compression, message.uncompressed_size)
    return bytes(memoryview(data))


class Mutator:
    """Makes damaged copies of a stream: of its bytes, or of what they hold, framed and compressed again."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.raws = list(iter_messages(data))
        self.chunks = [raw for raw in self.raws if raw.kind is MessageKind.ARROW_MSG]
        self.codec = pa.Codec("lz4_raw")

    def __call__(self, chooser: random.Random) -> bytes:
        """One damaged copy."""
        kind = chooser.choice(
            (self._bytes, self._framing, self._message, self._arrow, self._sizes, self._footer)
        )
        return kind(chooser)

    def _bytes(self, chooser: random.Random) -> bytes:
        return damaged(self.data, chooser)

    def _framing(self, chooser: random.Random) -> bytes:
        copy = bytearray(self.data)
        position = chooser.choice(self.raws).offset - MESSAGE_HEADER.size
        header = damaged(copy[position : position + MESSAGE_HEADER.size], chooser)
        copy[position : position + MESSAGE_HEADER.size] = header
        return bytes(copy)

    def _message(self, chooser: random.Random) -> bytes:
        raw = chooser.choice(self.raws)
        payload = bytes(raw.payload)
        # Lengths are in the first bytes; the rest is mostly compressed.
        head = chooser.choice((len(payload), 80))
        return self._with(raw.offset, len(payload), damaged(payload[:head], chooser) + payload[head:])

    def _arrow(self, chooser: random.Random) -> bytes:
        raw = chooser.choice(self.chunks)
        message = decode_message(raw.kind, raw.payload)
        assert isinstance(message, ArrowMsg)
        stream = arrow_stream(message)
        metadata = chooser.choice((len(stream), struct.unpack_from("<I", stream, 4)[0] + 400))
        stream = damaged(stream[:metadata], chooser) + stream[metadata:]
        return self._with(raw.offset, len(raw.payload), self._arrow_msg(message, stream, LZ4, len(stream)))

    def _sizes(self, chooser: random.Random) -> bytes:
        raw = chooser.choice(self.chunks)
        message = decode_message(raw.kind, raw.payload)
        assert isinstance(message, ArrowMsg)
        stream = arrow_stream(message)
        size = chooser.choice(
            (*_HOSTILE, len(stream) - 1, len(stream) + 1, len(stream) * 2, len(stream) * 200)
        )
        compression = chooser.choice((0, NONE, LZ4, LZ4, LZ4, 3))
        payload = self._arrow_msg(message, stream, compression, size & ((1 << 64) - 1))
        return self._with(raw.offset, len(raw.payload), payload)

    def _arrow_msg(self, message: ArrowMsg, stream: bytes, compression: int, size: int) -> bytes:
        payload: bytes = self.codec.compress(stream, asbytes=True)
        return arrow_msg_head(message.store, compression, size, len(payload)) + payload

    def _with(self, offset: int, size: int, payload: bytes) -> bytes:
        framed = MESSAGE_HEADER.pack(MessageKind.ARROW_MSG, len(payload)) + payload
        return self.data[: offset - MESSAGE_HEADER.size] + framed + self.data[offset + size :]

    def _footer(self, chooser: random.Random) -> bytes:
        end = self.raws[-1]
        if end.kind is not MessageKind.END:
            return self._bytes(chooser)
        (_, _, manifest), *_ = fields(end.payload)
        assert isinstance(manifest, memoryview)
        parts = {number: value for number, _, value in fields(manifest)}
        part = {number: value for number, _, value in fields(parts[4])}  # type: ignore[arg-type]
        table = self.codec.decompress(part[2], decompressed_size=part[4], asbytes=True)
        schema = bytes(next(value for _, _, value in fields(parts[2])))  # type: ignore[arg-type]
        if chooser.random() < 0.6:
            table = damaged(table, chooser)
        else:
            schema = damaged(schema, chooser)
        made = (
            bytes_field(1, bytes(parts[1]))
            + bytes_field(2, bytes_field(1, schema))
            + bytes_field(3, bytes(32))
            + bytes_field(
                4,
                varint_field(1, 1)
                + bytes_field(2, self.codec.compress(table, asbytes=True))
                + varint_field(3, LZ4)
                + varint_field(4, len(table)),
            )
        )
        payload = bytes_field(1, made)
        if chooser.random() < 0.2:
            payload = damaged(payload, chooser)
        before = self.data[: end.offset - MESSAGE_HEADER.size]
        return before + MESSAGE_HEADER.pack(0, len(payload)) + payload + stream_footer(end.offset, payload)


def use(path: Path) -> None:
    """Reads everything in a file, in every way."""
    with reading.load_archive(path) as archive:
        for store in (*archive.all_recordings(), *archive.all_blueprints()):
            store.schema().to_arrow()
            store.timelines()
            for chunk in store.chunks():
                read_one(chunk)
            read_rows(store)
            with contextlib.suppress(RrdError):
                store.to_table()


def read_one(chunk: reading.Chunk) -> None:
    """Looks at all of a chunk."""
    from aiorerun.codec.forward import forwarded_message

    try:
        batch = chunk.to_record_batch()
        repr(chunk)
        assert len(chunk.row_ids) == chunk.num_rows
        for name in (*chunk.timeline_names, *(each.component for each in chunk.components)):
            assert len(chunk.column(name)) == chunk.num_rows
        assert chunk.store is not None
        forwarded_message(chunk.store, batch)
    except RrdError:
        pass


def read_rows(store: reading.Recording) -> None:
    """The rows of all components."""
    for column in store.schema().component_columns():
        with contextlib.suppress(RrdError):
            store.rows(column.entity_path, component=column.component)


def peak_kib() -> int:
    """The most memory this process has had."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Reads so many damaged copies of the files, beginning with a seed; prints what came of it."""
    faulthandler.enable()
    first, count = int(sys.argv[1]), int(sys.argv[2])
    mutators = [Mutator(Path(name).read_bytes()) for name in sys.argv[3:]]
    largest = max(len(mutator.data) for mutator in mutators)
    outcomes = {"read": 0, "refused": 0}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.bin"
        for mutator in mutators:
            # What is imported and allocated anyway is not counted below.
            path.write_bytes(mutator.data)
            use(path)
        before = peak_kib()
        for seed in range(first, first + count):
            chooser = random.Random(seed)
            mutator = mutators[seed % len(mutators)]
            path.write_bytes(mutator(chooser))
            print(seed, file=sys.stderr, flush=True)
            start = time.perf_counter()
            try:
                use(path)
            except RrdError:
                outcomes["refused"] += 1
            else:
                outcomes["read"] += 1
            slowest = max(slowest, time.perf_counter() - start)
    grown = (peak_kib() - before) << 10
    print(json.dumps({**outcomes, "slowest": slowest, "grown": grown, "largest": largest}))


if __name__ == "__main__":
    main()
