"""Which process this is: forks that nobody told Python of, and the end of multiprocessing's children."""

from __future__ import annotations

import importlib
import multiprocessing.process
import os
from typing import TYPE_CHECKING, Any

import aiorerun as rr
from aiorerun import process

if TYPE_CHECKING:
    import pytest


def test_a_fork_that_went_past_the_hooks_is_noticed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed: list[int] = []
    monkeypatch.setattr(process, "on_fork", [lambda: noticed.append(1)])
    assert not process.check()
    monkeypatch.setattr(process._Current, "pid", os.getpid() + 1)
    assert process.check()
    assert not process.check()
    assert noticed == [1]


async def test_a_stream_starts_empty_after_such_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="process", send_properties=False)
    rec.log_nowait("a", rr.Scalars(1.0))
    # Only this stream: the test process has others, and has not really forked.
    monkeypatch.setattr(process, "on_fork", [rec._start_empty])
    monkeypatch.setattr(process._Current, "pid", os.getpid() + 1)
    await rec.flush()
    assert rec.stats().rows_accepted == 0
    rec.log_nowait("a", rr.Scalars(2.0))
    rec._capture.due = 0
    monkeypatch.setattr(process._Current, "pid", os.getpid() + 1)
    rec.log_nowait("a", rr.Scalars(3.0))
    assert rec.stats().rows_accepted == 0
    rec.log_nowait("a", rr.Scalars(4.0))
    assert rec.stats().rows_accepted == 1


def test_children_of_multiprocessing_get_a_finalizer(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[str] = []
    monkeypatch.setattr(
        process, "at_exit", [lambda: finished.append("first"), lambda: finished.append("last")]
    )
    monkeypatch.setattr(process._Current, "finalizer", None)
    process.finish_with_multiprocessing()
    current: Any = process._Current
    assert not current.finalizer, "this is no such child"
    parent: Any = object()
    importlib.import_module("multiprocessing.util")
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: parent)
    process.finish_with_multiprocessing()
    finalizer = current.finalizer
    process.finish_with_multiprocessing()
    assert current.finalizer is finalizer
    finalizer.cancel()
    # As multiprocessing does when a child begins: it forgets all finalizers.
    process.finish_with_multiprocessing()
    assert current.finalizer is not finalizer
    current.finalizer()
    assert finished == ["last", "first"]
