"""Headers and footers, byte by byte."""

from __future__ import annotations

import pytest

from aiorerun.codec import framing


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "2a973671"),
        (b"a", "9df23f1d"),
        (b"RRF2", "fc792577"),
        (bytes(range(32)), "00bc0d21"),
        (bytes(range(100)), "49069731"),
    ],
)
def test_checksum(data: bytes, expected: str) -> None:
    assert f"{framing.checksum(data):08x}" == expected


def test_the_stream_header() -> None:
    assert framing.stream_header().hex(" ") == "52 52 46 32 00 29 00 00 01 02 00 00"


def test_the_version_in_messages() -> None:
    assert framing.version_bits() == 10496
    assert framing.version_bits((1, 2, 3)) == 0x030201


def test_the_stream_footer() -> None:
    footer = framing.stream_footer(0x48F, b"a")
    assert len(footer) == framing.STREAM_FOOTER.size == 32
    assert footer[:16] == (0x48F).to_bytes(8, "little") + (1).to_bytes(8, "little")
    assert footer[16:20] == bytes.fromhex("1d3ff29d")
    assert footer[20:] == b"RRF2FOOT\x01\0\0\0"
