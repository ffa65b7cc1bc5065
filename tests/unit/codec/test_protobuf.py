"""The hand-written protobuf framing: vectors, and what damaged messages give."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from aiorerun.codec.errors import RrdError
from aiorerun.codec.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    bytes_field,
    fields,
    fixed64_field,
    read_varint,
    tag,
    text_field,
    varint,
    varint_field,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (10496, "8052"), (-1, "ff" * 9 + "01")],
)
def test_varints(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded


@given(st.integers(0, (1 << 64) - 1))
def test_varints_are_read_back(value: int) -> None:
    encoded = varint(value)
    assert read_varint(memoryview(b"x" + encoded + b"y"), 1) == (value, 1 + len(encoded))


def test_fields_are_read_back() -> None:
    data = (
        varint_field(1, 5)
        + bytes_field(2, b"abc")
        + fixed64_field(3, 7)
        + tag(100, FIXED32)
        + b"\x09\0\0\0"
        + text_field(4, "é")
        + bytes_field(5, b"")
    )
    read = [
        (number, wire_type, value if isinstance(value, int) else bytes(value))
        for number, wire_type, value in fields(memoryview(data))
    ]
    assert read == [
        (1, VARINT, 5),
        (2, BYTES, b"abc"),
        (3, FIXED64, 7),
        (100, FIXED32, 9),
        (4, BYTES, "é".encode()),
        (5, BYTES, b""),
    ]


def test_defaults_are_not_written_unless_the_field_is_optional() -> None:
    assert varint_field(1, 0) == text_field(1, "") == b""
    assert fixed64_field(1, 0) == b"\x09" + bytes(8)
    assert bytes_field(1, b"") == b"\x0a\x00"


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x80",  # a number that goes on
        b"\xff" * 11,  # a number that does not end
        b"\x0a\x05abc",  # longer than the message
        b"\x09abc",  # half a fixed64
        b"\x0dab",  # half a fixed32
        b"\x0b",  # a group
        b"\x0f",  # no wire type at all
        b"\x00\x00",  # field 0
        b"\x0a",  # no length
    ],
)
def test_damaged_messages(damaged: bytes) -> None:
    with pytest.raises(RrdError, match="protobuf"):
        list(fields(memoryview(damaged)))


@given(st.binary(max_size=50))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    try:
        for _, wire_type, value in fields(memoryview(data)):
            assert isinstance(value, int) == (wire_type != BYTES)
    except RrdError:
        pass
