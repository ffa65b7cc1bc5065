"""Capture takes rows and gives them up again exactly once, in order."""

from __future__ import annotations

import itertools
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import aiorerun as rr
from aiorerun.config import ChunkBatcherConfig
from aiorerun.pipeline import accumulator as accumulator_module, capture as capture_module
from aiorerun.pipeline.capture import IDLE_CUTS, Capture
from aiorerun.pipeline.limits import Limit
from aiorerun.types.flat_arrow import unflatten
from aiorerun.types.ids import ids
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import NO_TIMES, with_time
from tests.unit.pipeline.assembling import assemble_cuts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.pipeline.accumulator import Cut

NEVER = (1 << 63) - 1


def make(config: ChunkBatcherConfig | None = None, *, max_waiting_bytes: int = 1 << 24) -> Capture:
    clock = itertools.count(1)
    made = Capture(
        config or ChunkBatcherConfig.NEVER(),
        clock=lambda: next(clock),
        wall=lambda: 1_000,
        max_waiting_bytes=max_waiting_bytes,
    )
    made.due = NEVER
    return made


def scalars(cuts: Iterable[Cut]) -> list[float]:
    """The values of all rows, in chunk order; each chunk must hold one Float64 column."""
    values: list[float] = []
    for chunk in assemble_cuts(cuts, ids, 1 << 20):
        (column,) = chunk.components
        values.extend(unflatten(column.values).to_pylist())
    return values


def test_rows_come_out_once_and_in_order() -> None:
    capture = make()
    for number in range(100):
        assert capture.add("a", rr.Scalars(float(number)), (), NO_TIMES) is None
    assert (capture.waiting_rows, capture.accepted_rows) == (100, 100)
    assert scalars(capture.cut_all()) == list(range(100))
    assert capture.cut_all() == []
    assert (capture.waiting_rows, capture.accepted_rows) == (0, 100)


def test_spellings_of_one_path_share_a_chunk() -> None:
    capture = make()
    for path in ("a/b", "/a/b", ["a", "b"], "a//b/"):
        capture.add(path, rr.Scalars(1.0), (), NO_TIMES)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    assert (chunk.entity_path, chunk.num_rows) == ("/a/b", 4)


def test_one_and_many_instances_share_a_chunk_in_order() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    capture.add("a", rr.Scalars([2.0, 3.0]), (), NO_TIMES)
    capture.add("a", rr.Scalars(4.0), (), NO_TIMES)
    capture.add("a", rr.Scalars([]), (), NO_TIMES)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    (column,) = chunk.components
    assert column.offsets.tolist() == [0, 1, 3, 4, 4]
    assert unflatten(column.values).to_pylist() == [1, 2, 3, 4]


def test_rows_with_other_timelines_or_components_get_other_chunks() -> None:
    capture = make()
    framed = with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, 1)
    as_duration = with_time(NO_TIMES, "frame", TimelineKind.DURATION, 1)
    for times in (NO_TIMES, framed, as_duration, None, framed):
        capture.add("a", rr.Scalars(1.0), (), times)
    capture.add("a", rr.TextLog("x"), (), framed)
    chunks = list(assemble_cuts(capture.cut_all(), ids, 100))
    assert sorted(chunk.num_rows for chunk in chunks) == [1, 1, 1, 1, 2]
    assert sum(chunk.is_static for chunk in chunks) == 1


def test_log_tick_counts_every_call_static_ones_too() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    capture.add("a", rr.Scalars(1.0), (), None)
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    ticks: list[int] = []
    for chunk in assemble_cuts(capture.cut_all(), ids, 100):
        ticks.extend(
            t for column in chunk.indexes if column.timeline.name == "log_tick" for t in column.values
        )
    assert ticks == [0, 2]


def test_an_empty_archetype_is_no_row() -> None:
    capture = make()
    assert capture.add("a", rr.Points3D.from_fields(), (), NO_TIMES) is None
    assert capture.accepted_rows == 0


def test_mutating_an_array_afterwards_changes_nothing() -> None:
    capture = make()
    values = np.array([1.0, 2.0])
    capture.add("a", rr.Scalars(values), (), NO_TIMES)
    values[:] = 9
    assert scalars(capture.cut_all()) == [1.0, 2.0]


def test_asks_for_attention_at_the_row_threshold() -> None:
    capture = make(ChunkBatcherConfig(flush_num_rows=3, flush_num_bytes=1 << 40))
    asked = [capture.add("a", rr.Scalars(1.0), (), NO_TIMES) is not None for _ in range(3)]
    assert asked == [False, False, True]
    accumulator = capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    assert accumulator is not None
    assert [cut.num_rows for cut in capture.cut_full(accumulator)] == [4]
    assert capture.cut_full(accumulator) == []


def test_asks_for_attention_at_the_byte_threshold() -> None:
    capture = make(ChunkBatcherConfig(flush_num_bytes=100_000))
    points = np.zeros((5_000, 3), np.float32)
    assert capture.add("a", rr.Points3D(points), (), NO_TIMES) is None
    accumulator = capture.add("a", rr.Points3D(points), (), NO_TIMES)
    assert accumulator is not None
    (cut,) = capture.cut_full(accumulator)
    assert cut.num_rows == 2
    assert 120_000 <= cut.cost < 122_000
    assert capture.waiting_bytes == 0


def test_too_much_waiting_in_all_accumulators_is_cut_off_whatever_the_configuration_says() -> None:
    capture = make(max_waiting_bytes=200_000)
    blob = np.zeros((5_000, 3), np.float32)
    asked = None
    for number in range(4):
        asked = capture.add(f"entity{number}", rr.Points3D(blob), (), NO_TIMES)
    assert asked is not None
    assert len(capture.cut_full(asked)) == 4


def test_many_small_rows_are_looked_at_now_and_then() -> None:
    capture = make(max_waiting_bytes=3 << 20)
    asked = 0
    for number in range(60_000):
        accumulator = capture.add(f"entity{number % 2}", rr.Scalars(1.0), (), NO_TIMES)
        if accumulator is not None:
            asked += 1
            capture.cut_full(accumulator)
    assert 1 <= asked <= 10
    assert capture.waiting_bytes <= 4 << 20


def test_an_accumulator_that_stays_empty_is_given_up() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    for _ in range(IDLE_CUTS + 2):
        capture.cut_all()
    assert capture._accumulators == {}
    capture.add("a", rr.Scalars(2.0), (), NO_TIMES)
    assert scalars(capture.cut_all()) == [2.0]


def test_a_row_that_meets_an_accumulator_given_up_is_still_found() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    (accumulator,) = capture._accumulators.values()
    for _ in range(IDLE_CUTS + 2):
        capture.cut_all()
    # What a thread does that looked the accumulator up just before.
    capture._accumulators[accumulator.key] = accumulator
    assert capture.add("a", rr.Scalars(2.0), (), NO_TIMES) is accumulator
    capture._accumulators.clear()
    assert capture.waiting_rows == 1
    assert scalars(capture.cut_all()) == [2.0]


def test_new_thresholds_hold_for_what_is_already_there() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    capture.configure(ChunkBatcherConfig.ALWAYS())
    assert capture.add("a", rr.Scalars(1.0), (), NO_TIMES) is not None


@pytest.mark.parametrize("path", [5, None, ("a", "b")])
def test_refuses_what_is_no_path(path: Any) -> None:
    with pytest.raises(TypeError, match="entity_path"):
        make().add(path, rr.Scalars(1.0), (), NO_TIMES)


@pytest.mark.parametrize("entity", [5, None, "text", [1, 2]])
def test_refuses_what_cannot_be_logged(entity: Any) -> None:
    with pytest.raises(TypeError):
        make().add("a", entity, (), NO_TIMES)


def test_clear_forgets_everything() -> None:
    capture = make()
    capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    capture.clear()
    assert (capture.accepted_rows, capture.waiting_bytes, capture.cut_all()) == (0, 0, [])


@pytest.mark.parametrize("guarded", [False, True])
def test_threads_lose_nothing_while_rows_are_cut_off(guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "_gil_enabled", lambda: not guarded)
    capture = make()
    count, threads = 5_000, 4
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        running = [
            threading.Thread(
                target=lambda number=number: [
                    capture.add(f"t{number}", rr.Scalars(float(i)), (), NO_TIMES) for i in range(count)
                ]
            )
            for number in range(threads)
        ]
        for thread in running:
            thread.start()
        batches: list[list[Cut]] = []
        while any(thread.is_alive() for thread in running):
            batches.append(capture.cut_all())
        batches.append(capture.cut_all())
    finally:
        sys.setswitchinterval(interval)
    rows: dict[str, list[float]] = {}
    for batch in batches:
        for chunk in assemble_cuts(batch, ids, 1 << 20):
            rows.setdefault(chunk.entity_path, []).extend(unflatten(chunk.components[0].values).to_pylist())
    assert rows == {f"/t{number}": list(range(count)) for number in range(threads)}
    assert capture.accepted_rows == count * threads


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.booleans()), max_size=60), st.data()
)
def test_any_interleaving_of_logging_and_cutting_keeps_every_row(
    rows: list[tuple[str, int, bool]], data: st.DataObject
) -> None:
    capture = make(ChunkBatcherConfig(flush_num_rows=data.draw(st.integers(1, 10))))
    logged: dict[str, list[float]] = {"/a": [], "/b": []}
    seen: dict[str, list[float]] = {"/a": [], "/b": []}
    value = 0.0

    def collect(cuts: Iterable[Cut]) -> None:
        for chunk in assemble_cuts(cuts, ids, 1 << 20):
            (column,) = chunk.components
            seen[chunk.entity_path].extend(unflatten(column.values).to_pylist())

    for path, instances, cut_now in rows:
        values = [value + index for index in range(instances)]
        value += 10
        logged["/" + path].extend(values)
        accumulator = capture.add(path, rr.Scalars(values[0] if instances == 1 else values), (), NO_TIMES)
        if accumulator is not None:
            collect(capture.cut_full(accumulator))
        if cut_now:
            collect(capture.cut_all())
    collect(capture.cut_all())
    assert {path: sorted(values) for path, values in seen.items()} == logged


class TestRowsThatComeInTheMiddle:
    """Finalizers and handlers of signals log in the middle of what this very thread does."""

    def test_while_an_accumulator_is_opened(self) -> None:
        capture, hashes = make(), itertools.count()

        class Path(str):
            __slots__ = ()

            def __hash__(self) -> int:
                if next(hashes) == 1:
                    # The second look, with the lock.
                    capture.add("other", rr.Scalars(2.0), (), NO_TIMES)
                    capture.add("b", rr.Scalars(3.0), (), NO_TIMES)
                return super().__hash__()

        capture.add("b", rr.Scalars(1.0), (), NO_TIMES)
        capture.add(Path("a"), rr.Scalars(0.0), (), NO_TIMES)
        assert next(hashes) > 1
        assert sorted(scalars(capture.cut_all())) == [0.0, 1.0, 2.0, 3.0]
        assert (capture.waiting_rows, capture.accepted_rows) == (0, 4)

    def test_while_a_limit_is_looked_at(self) -> None:
        ticks = itertools.count(1)
        interrupts: list[rr.Scalars] = []

        def clock() -> int:
            if interrupts:
                capture.add("a", interrupts.pop(), (), NO_TIMES)
            return next(ticks)

        capture = Capture(ChunkBatcherConfig.NEVER(), clock=clock, wall=lambda: 0, max_waiting_bytes=1 << 24)
        capture.due = NEVER
        limit = Limit("/**", None, True, False, lambda limit: None)
        capture.set_limits(lambda limits: limits.append(limit))
        interrupts.append(rr.Scalars(2.0))
        capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
        assert scalars(capture.cut_all()) == [1.0, 2.0]

    def test_while_rows_are_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        capture, cut = make(), accumulator_module.Cut
        capture.add("a", rr.Scalars(1.0), (), NO_TIMES)

        def interrupted(*arguments: Any) -> Cut:
            monkeypatch.setattr(capture_module, "Cut", cut)
            capture.add("a", rr.Scalars(2.0), (), NO_TIMES)
            capture.add("new", rr.Scalars(3.0), (), NO_TIMES)
            # Nothing is cut off twice.
            assert capture.cut_all() == []
            assert capture.cut_full(next(iter(capture._accumulators.values()))) == []
            assert capture.release(float("inf")) == []
            return cut(*arguments)

        monkeypatch.setattr(capture_module, "Cut", interrupted)
        assert scalars(capture.cut_all()) == [1.0, 2.0, 3.0]
        assert (capture.waiting_rows, capture.accepted_rows) == (0, 3)
