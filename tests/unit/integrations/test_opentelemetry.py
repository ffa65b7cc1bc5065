"""Spans as lanes and lines."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun
import aiorerun.sync

if TYPE_CHECKING:
    from tests.unit.integrations.recorded import Recorded

sdk: Any = pytest.importorskip("opentelemetry.sdk.trace")
ours: Any = importlib.import_module("aiorerun.integrations.opentelemetry")


def tracer_with(processor: Any, **options: Any) -> Any:
    provider = sdk.TracerProvider(**options)
    provider.add_span_processor(processor)
    return provider.get_tracer("shop")


def test_a_span_is_a_state_and_a_line(recorded: Recorded) -> None:
    tracer = tracer_with(ours.RerunSpanProcessor())
    recorded.rec.set_time("step", sequence=3)
    with (
        tracer.start_as_current_span("pay") as parent,
        tracer.start_as_current_span(
            "ask the bank", attributes={"amount": 12.5, "http.request.header.authorization": "enigma"}
        ) as child,
    ):
        pass
    states = [(row["state"], row.times["span_time"]) for row in recorded.rows(r"spans/ask\ the\ bank/lane_0")]
    assert states == [
        (["ask the bank"], np.datetime64(child.start_time, "ns")),
        ([], np.datetime64(child.end_time, "ns")),
    ]
    row = recorded.row(r"spans/ask\ the\ bank")
    values = {name: value[0] for name, value in row.values.items()}
    assert values.pop("TextLog:text").startswith("ask the bank: ")
    assert values == {
        "TextLog:level": "INFO",
        "Span:trace_id": format(parent.get_span_context().trace_id, "032x"),
        "Span:span_id": format(child.get_span_context().span_id, "016x"),
        "Span:parent_id": format(parent.get_span_context().span_id, "016x"),
        "Span:duration_ms": (child.end_time - child.start_time) / 1e6,
        "Span:kind": "INTERNAL",
        "Span:status": "UNSET",
        "Span:scope": "shop",
        "attributes:amount": 12.5,
        "attributes:http.request.header.authorization": "***",
    }
    assert row.times["step"] == 3
    # What the program has set is as it was.
    recorded.rec.log("after", aiorerun.TextLog("after"))
    assert recorded.row("after").times == {"step": 3}


def test_spans_of_one_name_at_the_same_time_have_lanes_of_their_own(recorded: Recorded) -> None:
    tracer = tracer_with(ours.RerunSpanProcessor())
    first, second = tracer.start_span("job"), tracer.start_span("job")
    first.end()
    third = tracer.start_span("job")
    third.end()
    second.end()
    assert [row["state"] for row in recorded.rows("spans/job/lane_0")] == [["job"], [], ["job"], []]
    assert [row["state"] for row in recorded.rows("spans/job/lane_1")] == [["job"], []]


def test_failures_and_events(recorded: Recorded) -> None:
    tracer = tracer_with(ours.RerunSpanProcessor())

    def fail() -> None:
        with tracer.start_as_current_span("pay") as span:
            span.add_event("asked", {"tries": 2})
            raise ValueError("password=enigma")

    with pytest.raises(ValueError, match="enigma"):
        fail()
    rows = recorded.rows("spans/pay")
    assert [(row["text"][0].partition(":")[2], row["level"]) for row in rows[:2]] == [
        (" asked", ["DEBUG"]),
        (" exception", ["ERROR"]),
    ]
    assert rows[0]["tries"] == [2]
    assert rows[-1]["level"] == ["ERROR"]
    assert rows[-1]["status"] == ["ERROR"]
    assert "enigma" not in repr([row.values for row in rows])
    assert "exception.stacktrace" in repr(rows[1].values)


def test_what_is_not_sampled_is_left_out(recorded: Recorded) -> None:
    sampling: Any = importlib.import_module("opentelemetry.sdk.trace.sampling")
    tracer = tracer_with(ours.RerunSpanProcessor(), sampler=sampling.ALWAYS_OFF)
    with tracer.start_as_current_span("x"):
        pass
    assert recorded.rows() == []


def test_too_many_open_spans_have_no_lanes(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "MAX_OPEN", 2)
    tracer = tracer_with(ours.RerunSpanProcessor())
    spans = [tracer.start_span("x") for _ in range(4)]
    for span in spans:
        span.end()
    assert len(recorded.rows("spans/x")) == 4
    assert recorded.rows("spans/x/lane_2") == []


def test_spans_of_threads(recorded: Recorded) -> None:
    processor = ours.RerunSpanProcessor(recording=recorded.rec)
    tracer = tracer_with(processor)

    def work() -> None:
        for _ in range(100):
            with tracer.start_as_current_span("job"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(recorded.rows("spans/job")) == 400
    assert processor._lanes._open == {}
    assert processor.force_flush()
    processor.shutdown()


def test_it_never_fails_the_program(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(recorded.rec, "log_nowait", fail)
    tracer = tracer_with(ours.RerunSpanProcessor())
    with caplog.at_level(logging.ERROR), tracer.start_as_current_span("x"):
        pass
    assert len(caplog.records) == 1


def test_without_a_recording_nothing_happens() -> None:
    with tracer_with(ours.RerunSpanProcessor()).start_as_current_span("x"):
        pass


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "aiorerun.integrations.opentelemetry")
    with pytest.raises(ImportError, match=r"aiorerun\[opentelemetry\]"):
        importlib.import_module("aiorerun.integrations.opentelemetry")


def test_lanes_are_free_again_where_spans_end_without_a_recording(recorded: Recorded) -> None:
    processor = ours.RerunSpanProcessor()
    tracer = tracer_with(processor)
    for _ in range(3):
        span = tracer.start_span("job")
        aiorerun.sync.set_global_data_recording(None)
        span.end()
        aiorerun.sync.set_global_data_recording(recorded.rec)
    assert (processor._lanes._open, processor._lanes._taken) == ({}, {})
    with tracer.start_as_current_span("job"):
        pass
    assert {row.entity_path for row in recorded.rows() if "lane" in row.entity_path} == {"/spans/job/lane_0"}
