"""The outbox: order, waiting for the viewer, limits, threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from aiorerun.errors import QueueFullError
from aiorerun.widget import outbox as module
from aiorerun.widget.outbox import Outbox


class Sent(list[tuple[Any, list[bytes] | None]]):
    def __call__(self, content: Any, buffers: list[bytes] | None = None) -> None:
        self.append((content, buffers))


def test_messages_wait_in_order_until_the_viewer_is_ready() -> None:
    sent = Sent()
    outbox = Outbox(sent)
    outbox.post({"n": 1})
    outbox.post({"n": 2}, [b"x"])
    assert (sent, outbox.is_open, repr(outbox)) == ([], False, "Outbox(2 waiting)")
    outbox.open()
    outbox.post({"n": 3})
    outbox.open()
    assert sent == [({"n": 1}, None), ({"n": 2}, [b"x"]), ({"n": 3}, None)]
    assert (outbox.is_open, repr(outbox)) == (True, "Outbox(open)")


def test_what_comes_while_the_others_are_sent_goes_behind_them() -> None:
    sent: list[int] = []

    def send(content: Any, buffers: list[bytes] | None = None) -> None:
        sent.append(content["n"])
        if content["n"] == 1:
            outbox.post({"n": 3})

    outbox = Outbox(send)
    outbox.post({"n": 1})
    outbox.post({"n": 2})
    outbox.open()
    assert sent == [1, 2, 3]


def test_too_much_that_waits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    monkeypatch.setattr(module, "MAX_WAITING_POSTS", 3)
    outbox = Outbox(Sent())
    outbox.post({}, [b"123456"])
    with pytest.raises(QueueFullError, match="display"):
        outbox.post({}, [b"12345"])
    # What somebody else counts is not counted here.
    outbox.post({}, [b"x" * 1000], lambda: None)
    outbox.post({})
    with pytest.raises(QueueFullError, match="3 messages"):
        outbox.post({})
    outbox.open()
    outbox.post({}, [b"x" * 1000])


def test_whoever_counts_is_told_when_it_is_sent() -> None:
    told: list[str] = []
    outbox = Outbox(Sent())
    outbox.post({}, [], lambda: told.append("first"))
    assert told == []
    outbox.open()
    outbox.post({}, [], lambda: told.append("second"))
    assert told == ["first", "second"]


def test_a_message_that_cannot_be_sent_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[int] = []

    def send(content: Any, buffers: list[bytes] | None = None) -> None:
        if content["n"] == 1:
            raise OSError("no way")
        sent.append(content["n"])

    outbox = Outbox(send)
    told: list[int] = []
    outbox.post({"n": 1}, [], lambda: told.append(1))
    outbox.post({"n": 2})
    outbox.open()
    assert (sent, told) == ([2], [1])
    assert "could not be sent" in caplog.text
    with pytest.raises(OSError, match="no way"):
        outbox.post({"n": 1})


def test_threads_keep_their_order_and_lose_nothing() -> None:
    sent = Sent()
    outbox = Outbox(sent)

    def post(thread: int) -> None:
        for number in range(500):
            outbox.post({"thread": thread, "number": number})

    threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    outbox.open()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [each["number"] for each, _ in sent if each["thread"] == number] == list(range(500))
