"""Frames of gRPC-web."""

from __future__ import annotations

import base64

import pytest

from aiorerun.server.grpc_frames import EMPTY, Base64Decoder, encode_base64, encode_reason, trailer_frame
from aiorerun.server.rpc_error import Code, RpcError


def test_the_trailer_frame_is_as_the_official_server_sends_it() -> None:
    assert trailer_frame(Code.OK) == bytes.fromhex("800000000f") + b"grpc-status:0\r\n"
    assert trailer_frame(Code.INTERNAL, "100 % ü\r\n")[5:] == (
        b"grpc-status:13\r\ngrpc-message:100 %25 %C3%BC%0D%0A\r\n"
    )
    assert bytes(5) == EMPTY
    assert encode_reason("plain text") == "plain text"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 100])
def test_base64_with_padding_inside_and_cut_anywhere(size: int) -> None:
    contents = [b"a", b"bc", b"def", b"", b"ghij" * 9]
    text = b"".join(base64.b64encode(content) for content in contents)
    decoder = Base64Decoder()
    pieces = [decoder.feed(text[start : start + size]) for start in range(0, len(text), size)]
    decoder.finish()
    assert b"".join(pieces) == b"".join(contents)


@pytest.mark.parametrize("text", [b"ab!d", b"=abc", b"a===", b"ab=c"])
def test_what_is_no_base64(text: bytes) -> None:
    with pytest.raises(RpcError, match="INTERNAL"):
        Base64Decoder().feed(text)


def test_base64_that_ends_inside_a_group() -> None:
    decoder = Base64Decoder()
    decoder.feed(b"abcde")
    with pytest.raises(RpcError, match="inside a group"):
        decoder.finish()


def test_frames_of_the_text_variant_stand_alone() -> None:
    assert encode_base64((b"a", memoryview(b"bcd"))) == base64.b64encode(b"abcd")
