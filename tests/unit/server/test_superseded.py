"""Static data that newer static data has replaced."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aiorerun.net.logmsg import frame_body
from aiorerun.server import superseded
from aiorerun.server.blocks import BlockQueue
from aiorerun.server.bodies import entry_of_body
from aiorerun.server.entries import Entry, Queue
from aiorerun.server.superseded import Superseded
from tests.unit.server.peers import arrow_msg, static_chunk

ID = (1).to_bytes(16, "big")


def _entries(*bodies: bytes) -> list[Entry]:
    made = [entry_of_body(body) for body in bodies]
    for number, entry in enumerate(made, 1):
        entry.number = number
        assert entry.queue is Queue.STATIC
    return made


def _kept(*bodies: bytes) -> list[int]:
    compacted = Superseded().compact(BlockQueue(_entries(*bodies)).snapshot())
    assert compacted.seen == len(bodies)
    return [entry.number for entry in compacted.kept]


def test_the_newest_of_each_column_stays() -> None:
    bodies = [static_chunk("/a", row, {"x": [b"value"]}) for row in range(1, 6)]
    assert _kept(*bodies) == [5]


def test_row_ids_decide_not_the_order_of_arrival() -> None:
    assert _kept(static_chunk("/a", 9, {"x": [b"new"]}), static_chunk("/a", 3, {"x": [b"old"]})) == [1]


def test_the_same_message_twice_is_kept_once() -> None:
    body = static_chunk("/a", 9, {"x": [b"same"]})
    assert _kept(body, body) == [2]


def test_other_entities_columns_and_stores_replace_nothing() -> None:
    bodies = [
        static_chunk("/a", 1, {"x": [b""]}),
        static_chunk("/b", 2, {"x": [b""]}),
        static_chunk("/a", 3, {"y": [b""]}),
        static_chunk("/a", 4, {"x": [b""]}, name="another"),
    ]
    assert _kept(*bodies) == [1, 2, 3, 4]


def test_a_message_goes_when_all_its_columns_are_replaced() -> None:
    both = static_chunk("/a", 1, {"x": [b"1"], "y": [b"1"]})
    x, y = static_chunk("/a", 2, {"x": [b"2"]}), static_chunk("/a", 3, {"y": [b"3"]})
    assert _kept(both, x) == [1, 2]
    assert _kept(both, x, y) == [2, 3]


def test_columns_without_a_value_replace_nothing() -> None:
    full = static_chunk("/a", 1, {"x": [b"1"]})
    empty = static_chunk("/a", 2, {"x": [None], "y": [b"2"]})
    assert _kept(full, empty) == [1, 2]


def test_each_column_has_the_row_id_of_its_own_newest_value() -> None:
    both = static_chunk("/a", 1, {"x": [b"1", None, None], "y": [None, None, b"3"]})
    x = static_chunk("/a", 2, {"x": [b"2"]})
    assert _kept(both, x) == [1, 2]
    assert _kept(x, both) == [1, 2]
    y = static_chunk("/a", 4, {"y": [b"4"]})
    assert _kept(both, x, y) == [2, 3]


@pytest.mark.parametrize(
    "row_ids",
    [
        pa.array([None], pa.binary(16)),
        pa.array([ID, None], pa.binary(16)),
        pa.array([b"short"]),
        pa.array([1 << 40]),
        pa.array([{"time": 1, "inc": 2}]),
        pa.array(["text"]),
    ],
)
def test_what_has_odd_row_ids_stays_and_keeps_nothing_else(row_ids: Any) -> None:
    odd = static_chunk("/a", 9, {"x": [b"odd"] * len(row_ids)}, row_ids=row_ids)
    plain = [static_chunk("/a", row, {"x": [b"plain"]}) for row in (1, 2, 3)]
    assert _kept(odd, *plain) == [1, 4]


def test_what_cannot_be_taken_apart_stays() -> None:
    broken = Entry(frame_body(b"\xff"), Queue.STATIC)
    entries = [broken, *_entries(*(static_chunk("/a", row, {"x": [b"1"]}) for row in (1, 2)))]
    for number, entry in enumerate(entries, 1):
        entry.number = number
    assert [entry.number for entry in Superseded().compact(BlockQueue(entries).snapshot()).kept] == [1, 3]


def test_what_is_known_stays_known_when_looking_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _entries(*(static_chunk(f"/{row}", row, {"x": [b"1"]}) for row in range(1, 4)))
    judge = Superseded()
    judge.compact(BlockQueue(entries[1:]).snapshot())
    with monkeypatch.context() as patch:
        patch.setattr(superseded, "static_facts_of", _fail)
        with pytest.raises(MemoryError):
            judge.compact(BlockQueue(entries).snapshot())
        kept = judge.compact(BlockQueue(entries[1:]).snapshot()).kept
    assert [entry.number for entry in kept] == [2, 3]


def _fail(entry: Entry) -> None:
    raise MemoryError


def test_what_cannot_be_read_stays() -> None:
    nonsense = arrow_msg(b"no arrow at all", static=True)
    assert _kept(nonsense, nonsense, static_chunk("/a", 1, {"x": [b"1"]})) == [1, 2, 3]


def test_what_is_too_large_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [static_chunk("/a", row, {"x": [b"value"]}, lz4=True) for row in (1, 2)]
    assert _kept(*bodies) == [2]
    monkeypatch.setattr(superseded, "MAX_DECODED_BYTES", 100)
    assert _kept(*bodies) == [1, 2]


def test_each_message_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    decode = superseded.static_facts_of

    def counting(entry: Entry) -> superseded.StaticFacts | None:
        seen.append(entry.number)
        return decode(entry)

    monkeypatch.setattr(superseded, "static_facts_of", counting)
    entries = _entries(*(static_chunk(f"/{row}", row, {"x": [b"1"]}) for row in range(1, 5)))
    judge = Superseded()
    first = judge.compact(BlockQueue(entries[:3]).snapshot())
    judge.compact(BlockQueue([*first.kept, entries[3]]).snapshot())
    assert seen == [1, 2, 3, 4]


def test_nothing_at_all() -> None:
    assert Superseded().compact(BlockQueue().snapshot()).seen == 0
