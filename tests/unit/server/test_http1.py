"""One HTTP/1.1 connection, without the network."""

from __future__ import annotations

import pytest

from aiorerun.server.http1 import MAX_HEAD_BYTES, BadRequest, Http1, Request

POST = b"POST /a/B?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def _joined(segments: list[object]) -> bytes:
    return b"".join(bytes(segment) for segment in segments)  # type: ignore[call-overload]


def test_a_request_that_comes_byte_by_byte() -> None:
    http1 = Http1()
    for number in range(len(POST) - 1):
        http1.receive(POST[number : number + 1])
        assert http1.next_request() is None
    http1.receive(POST[-1:])
    assert http1.next_request() == Request("POST", "/a/B", {"host": "h", "content-length": "3", "x-a": "2"})
    assert http1.next_data() is None
    http1.receive(b"ab")
    assert http1.next_data() == b"ab"
    assert not http1.is_body_read
    http1.receive(b"c")
    assert http1.next_data() == b"c"
    assert http1.next_data() == b""
    assert http1.is_body_read


def test_an_answer_in_chunks_shares_its_pieces() -> None:
    http1 = Http1()
    http1.receive(POST + b"abc")
    http1.next_request()
    head = http1.head(200, [("content-type", "x/y")]).lower()
    assert head.startswith(b"http/1.1 200")
    assert b"transfer-encoding: chunked\r\n" in head
    assert b"\r\ndate: " in head
    big = bytes(1000)
    segments = http1.chunk((b"ab", memoryview(big)), 1002)
    assert any(isinstance(segment, memoryview) and segment.obj is big for segment in segments)
    assert _joined(segments) == b"3ea\r\nab" + big + b"\r\n"  # type: ignore[arg-type]
    assert http1.end() == b"0\r\n\r\n"
    assert not http1.next_cycle()
    while http1.next_data():
        pass
    assert http1.next_cycle()
    http1.receive(POST)
    assert http1.next_request() is not None


def test_the_last_answer_says_so() -> None:
    http1 = Http1()
    http1.receive(POST)
    http1.next_request()
    assert b"connection: close\r\n" in http1.head(400, [("content-length", "0")], will_close=True).lower()
    http1.end()
    assert not http1.next_cycle()


def test_it_asks_for_bodies_that_wait_for_it() -> None:
    http1 = Http1()
    http1.receive(POST.replace(b"X-A: 1", b"Expect: 100-continue"))
    http1.next_request()
    assert http1.wants_continue
    assert http1.go_on() == b"HTTP/1.1 100 \r\n\r\n"
    assert not http1.wants_continue


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\n folded: x\r\nbad name: x\r\n\r\n",
        b"POST /\r\n\r\n",
        b"\x16\x03\x01\x00\x00\r\n\r\n",
    ],
)
def test_what_is_no_request(data: bytes) -> None:
    http1 = Http1()
    http1.receive(data)
    with pytest.raises(BadRequest) as caught:
        http1.next_request()
    assert caught.value.status == 400
    assert http1.can_answer


def test_heads_are_limited() -> None:
    http1 = Http1()
    http1.receive(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * MAX_HEAD_BYTES)
    with pytest.raises(BadRequest) as caught:
        http1.next_request()
    assert caught.value.status == 431


def test_the_end_between_requests_and_inside_of_one() -> None:
    http1 = Http1()
    http1.receive(b"")
    with pytest.raises(EOFError):
        http1.next_request()
    with pytest.raises(BadRequest):
        http1.receive(b"more")
    http1 = Http1()
    http1.receive(POST[:10])
    http1.receive(b"")
    with pytest.raises((EOFError, BadRequest)):
        http1.next_request()
    http1 = Http1()
    http1.receive(POST + b"a")
    http1.next_request()
    http1.next_data()
    http1.receive(b"")
    with pytest.raises(EOFError):
        http1.next_data()
