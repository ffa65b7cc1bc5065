"""HTTP/2, HTTP/1.1, or neither."""

from __future__ import annotations

import pytest

from aiorerun.server.sniffing import PREFACE, is_http2


def test_http2_takes_the_whole_preface() -> None:
    assert is_http2(PREFACE)
    assert is_http2(PREFACE + b"more")
    for size in range(len(PREFACE)):
        assert is_http2(PREFACE[:size]) is None


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_http1(method: str) -> None:
    line = f"{method} / HTTP/1.1\r\n".encode()
    assert is_http2(line) is False
    assert is_http2(line[:2]) is None


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02", b"get / HTTP/1.1", b"PRI * HTTP/3", b"\0", b"hello there"]
)
def test_neither(data: bytes) -> None:
    with pytest.raises(ValueError, match="neither"):
        is_http2(data)
