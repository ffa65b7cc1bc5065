"""gRPC messages put together from the pieces they come in."""

from __future__ import annotations

import tracemalloc

import pytest

from aiorerun.net.assembling import BadMessageError, MessageAssembler
from aiorerun.net.logmsg import PREFIX


def stream_of(*bodies: bytes) -> bytes:
    return b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)


def assembled(data: bytes, step: int, max_body: int = 1 << 30) -> list[bytes]:
    assembler = MessageAssembler(max_body)
    for start in range(0, len(data), step):
        assembler.feed(data, start, min(start + step, len(data)))
    assert assembler.is_between
    return [bytes(body) for body in assembler.bodies]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_cut_anywhere(step: int) -> None:
    bodies = [b"", b"a", b"", b"b" * 300, b"c" * 5, b""]
    assert assembled(stream_of(*bodies), step) == bodies


@pytest.mark.parametrize("step", [4099, 262_144])
def test_long_bodies(step: int) -> None:
    bodies = [b"a" * ((1 << 20) + 1), b"b", b"c" * 3_000_000, b"d" * (1 << 20)]
    assert assembled(stream_of(*bodies), step) == bodies


def test_long_bodies_cannot_be_changed() -> None:
    assembler = MessageAssembler()
    data = stream_of(b"a" * 2_000_000)
    assembler.feed(data, 0, 100_000)
    assembler.feed(data, 100_000, len(data))
    (body,) = assembler.bodies
    assert isinstance(body, memoryview)
    assert body.readonly
    assert len(body) == 2_000_000


def test_where_it_stands() -> None:
    assembler = MessageAssembler()
    data = stream_of(b"abc")
    assert assembler.is_between
    for end in range(1, len(data)):
        assembler.feed(data, end - 1, end)
        assert not assembler.is_between
    assembler.feed(data, len(data) - 1, len(data))
    assert assembler.is_between


def test_the_limit() -> None:
    good = stream_of(b"x" * 100)
    assert assembled(good, 1000, max_body=100) == [b"x" * 100]
    for step in (1, 1000):
        with pytest.raises(BadMessageError) as caught:
            assembled(stream_of(b"x" * 101), step, max_body=100)
        assert caught.value.code == "RESOURCE_EXHAUSTED"


def test_what_came_before_an_error_is_there() -> None:
    assembler = MessageAssembler(10)
    data = stream_of(b"a", b"b", b"c" * 11)
    with pytest.raises(BadMessageError):
        assembler.feed(data, 0, len(data))
    assert assembler.bodies == [b"a", b"b"]


@pytest.mark.parametrize(("flag", "code"), [(1, "UNIMPLEMENTED"), (2, "INTERNAL"), (255, "INTERNAL")])
def test_flags(flag: int, code: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        assembled(bytes((flag, 0, 0, 0, 1, 0)), 1)
    assert caught.value.code == code


def test_a_claimed_length_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        assembler = MessageAssembler()
        data = PREFIX.pack(0, (1 << 31) - 1) + b"abc"
        assembler.feed(data, 0, len(data))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert not assembler.bodies
