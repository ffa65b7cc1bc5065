"""The wire format of Protocol Buffers, as far as RRD streams need it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from aiorerun.codec.errors import RrdError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_MAX_VARINT_BITS: Final = 64
_UINT64: Final = (1 << 64) - 1
_FIXED64: Final = struct.Struct("<Q")
_FIXED32: Final = struct.Struct("<I")

Value: TypeAlias = "int | memoryview"
"""What a field holds: a number, or the bytes of a string, a ``bytes`` or a message."""


def varint(value: int) -> bytes:
    """A number in groups of seven bits; negative ones as their 64-bit two's complement."""
    if 0 <= value < 0x80:
        return bytes((value,))
    if 0 <= value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    value &= _UINT64
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def tag(number: int, wire_type: int) -> bytes:
    """What comes before a field's value."""
    return varint(number << 3 | wire_type)


def varint_field(number: int, value: int) -> bytes:
    """A field with an integer, an enum or a boolean; nothing at all for 0, which readers assume."""
    return tag(number, VARINT) + varint(value) if value else b""


def fixed64_field(number: int, value: int) -> bytes:
    """A ``fixed64`` field, written even if 0 (for fields that are optional)."""
    return tag(number, FIXED64) + _FIXED64.pack(value)


def bytes_field(number: int, data: bytes) -> bytes:
    """A field with bytes or a message, written even if empty."""
    return tag(number, BYTES) + varint(len(data)) + data


def text_field(number: int, text: str) -> bytes:
    """A field with a string; nothing at all for the empty one."""
    return bytes_field(number, text.encode()) if text else b""


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """The fields of a message as (number, wire type, value), in the order in which they come.

    Raises:
        RrdError: The bytes are not a message.
    """
    position, end = 0, len(data)
    while position < end:
        key = data[position]
        if key < 0x80:
            position += 1
        else:
            key, position = read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        if not number:
            raise RrdError("a protobuf field has number 0")
        value: Value
        if wire_type == VARINT:
            value, position = read_varint(data, position)
        elif wire_type == BYTES:
            length, position = read_varint(data, position)
            if length > end - position:
                raise RrdError("a protobuf field is longer than its message")
            value = data[position : position + length]
            position += length
        elif wire_type == FIXED64:
            value, position = _fixed(_FIXED64, data, position)
        elif wire_type == FIXED32:
            value, position = _fixed(_FIXED32, data, position)
        else:
            raise RrdError(f"a protobuf field has wire type {wire_type}")
        yield number, wire_type, value


def _fixed(layout: struct.Struct, data: memoryview, position: int) -> tuple[int, int]:
    if layout.size > len(data) - position:
        raise RrdError("a protobuf number is cut off")
    return layout.unpack_from(data, position)[0], position + layout.size


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """The number that begins at ``position``, and where it ends.

    Raises:
        RrdError: It is cut off or too long.
    """
    value = 0
    for shift in range(0, _MAX_VARINT_BITS + 6, 7):
        if position >= len(data):
            raise RrdError("a protobuf number is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, position
    raise RrdError("a protobuf number is too long")
