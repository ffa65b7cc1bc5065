"""Limits with any rows at any times: nothing is lost without being counted, and the last value arrives."""

from __future__ import annotations

import math
import struct
from operator import itemgetter
from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

import aiorerun as rr
from aiorerun.config import ChunkBatcherConfig
from aiorerun.pipeline.capture import Capture
from aiorerun.pipeline.limits import Limit
from aiorerun.types.timepoint import LOG_TICK, NO_TIMES

MS = 1_000_000
PERIOD = 100


class Step(NamedTuple):
    """A row, after so many milliseconds; or, without a value, somebody who comes to release rows."""

    after: int
    path: str
    value: int | None


STEPS = st.lists(
    st.builds(
        Step,
        after=st.integers(0, 3 * PERIOD),
        path=st.sampled_from(["a", "/a", "b"]),
        value=st.none() | st.integers(0, 2),
    ),
    max_size=60,
)


class Run:
    """What passed of some steps."""

    def __init__(self, steps: list[Step], *, hz: float | None, on_change: bool, latest_wins: bool) -> None:
        self.now = 0
        self.capture = Capture(
            ChunkBatcherConfig.NEVER(), clock=lambda: self.now, wall=lambda: 0, max_waiting_bytes=1 << 24
        )
        self.capture.due = (1 << 63) - 1
        self.capture.inject = LOG_TICK
        limit = Limit("/**", hz, on_change, latest_wins, lambda limit: None)
        self.capture.set_limits(lambda limits: limits.append(limit))
        self.logged: dict[str, list[int]] = {"/a": [], "/b": []}
        for step in steps:
            # Never at the same moment: rows of two spellings of a path are sorted by time afterwards.
            self.now += step.after * MS + 1
            if step.value is None:
                self.capture.release(self.now)
                continue
            self.logged["/" + step.path.removeprefix("/")].append(step.value)
            self.capture.add(step.path, rr.Scalars(step.value), (), NO_TIMES)
        self.pending = 0 if self.capture.limiter is None else self.capture.limiter.held_rows
        self.capture.release(math.inf)
        self.passed: dict[str, list[tuple[int, float]]] = {"/a": [], "/b": []}
        for cut in self.capture.cut_all():
            width = cut.source.layout.width
            self.passed[cut.source.entity_path] += [
                (struct.unpack_from("<q", row)[0], struct.unpack_from("<d", row, width)[0])
                for row in cut.rows
            ]
        for rows in self.passed.values():
            rows.sort(key=itemgetter(0))

    @property
    def counts_are_right(self) -> bool:
        logged = sum(len(values) for values in self.logged.values())
        passed = sum(len(rows) for rows in self.passed.values())
        dropped, reasons = self.capture.dropped_rows
        return logged == passed + dropped == self.capture.accepted_rows and sum(reasons.values()) == dropped


@settings(max_examples=200)
@given(STEPS)
def test_the_last_value_always_arrives(steps: list[Step]) -> None:
    run = Run(steps, hz=1000 / PERIOD, on_change=False, latest_wins=True)
    assert run.counts_are_right
    for path, values in run.logged.items():
        if values:
            assert run.passed[path][-1][1] == values[-1]


@settings(max_examples=200)
@given(STEPS)
def test_a_rate_is_never_exceeded(steps: list[Step]) -> None:
    run = Run(steps, hz=1000 / PERIOD, on_change=False, latest_wins=False)
    assert run.counts_are_right
    assert run.pending == 0
    for rows in run.passed.values():
        for first, (start, _) in enumerate(rows):
            for last, (end, _) in enumerate(rows[first:], 1):
                # Two may be close together where the first one was late.
                assert last <= (end - start) // MS // PERIOD + 2


@settings(max_examples=200)
@given(STEPS)
def test_changes_are_all_that_is_recorded(steps: list[Step]) -> None:
    run = Run(steps, hz=None, on_change=True, latest_wins=True)
    assert run.counts_are_right
    for path, values in run.logged.items():
        changes = [value for value, former in zip(values, [None, *values], strict=False) if value != former]
        assert [value for _, value in run.passed[path]] == changes


@pytest.mark.parametrize("latest_wins", [True, False])
@settings(max_examples=100)
@given(STEPS)
def test_both_at_once(latest_wins: bool, steps: list[Step]) -> None:
    run = Run(steps, hz=1000 / PERIOD, on_change=True, latest_wins=latest_wins)
    assert run.counts_are_right
    if latest_wins:
        for path, values in run.logged.items():
            if values:
                assert run.passed[path][-1][1] == values[-1]
