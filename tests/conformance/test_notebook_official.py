"""The official SDK and ours tell the widget the same, byte for byte."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import rerun as official
import rerun.notebook as official_notebook
import rerun_notebook

import aiorerun.sync as rr
from tests.reading import scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable

Message = tuple[str, list[bytes]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What goes to the real widget, whoever sends it."""
    messages: list[Message] = []
    # It asks for messages of a browser, and there is no kernel here.
    monkeypatch.setattr(official_notebook, "_flush_ui_events", lambda: None)

    def send(widget: Any, content: Any, buffers: list[bytes] | None = None) -> None:
        messages.append((json.dumps(content), [*map(bytes, buffers or [])]))

    monkeypatch.setattr(rerun_notebook.Viewer, "send", send)
    return messages


BATCH = pa.RecordBatch.from_pydict({"a": [1, 2, 3], "b": ["x", "y", None]})


@pytest.mark.parametrize(
    "tell",
    [
        lambda viewer: viewer.set_active_recording(recording_id="r"),
        lambda viewer: viewer.open_url("http://127.0.0.1/a.rrd"),
        lambda viewer: viewer.close_url("http://127.0.0.1/a.rrd"),
        lambda viewer: viewer.set_credentials("token", "a@b.c"),
        lambda viewer: viewer.set_time_ctrl(),
        lambda viewer: viewer.set_time_ctrl(timeline="t", play=True),
        lambda viewer: viewer.set_time_ctrl(sequence=2**60 + 1, timeline="t"),
        lambda viewer: viewer.set_time_ctrl(duration=1.5),
        lambda viewer: viewer.set_time_ctrl(duration=dt.timedelta(days=3, microseconds=7)),
        lambda viewer: viewer.set_time_ctrl(timestamp=1_700_000_000.25),
        lambda viewer: viewer.set_time_ctrl(timestamp=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        lambda viewer: viewer.set_time_ctrl(timestamp=np.datetime64(1_700_000_000_123_456_789, "ns")),
        lambda viewer: viewer.send_table("my table", BATCH),
        lambda viewer: viewer.send_table("my table", [BATCH, BATCH]),
    ],
)
def test_what_the_widget_is_told(tell: Callable[[Any], object], sent: list[Message]) -> None:
    tell(official_notebook.Viewer(use_global_recording=False))
    expected = list(sent)
    sent.clear()
    viewer = rr.notebook.Viewer(use_global_recording=False)
    viewer._widget._handle_custom_msg("ready", [])
    tell(viewer)
    assert len(expected) == 1
    assert sent == expected


@pytest.mark.parametrize(
    "options",
    [{}, {"width": 300, "height": "auto"}, {"url": "http://127.0.0.1/a.rrd", "theme": "dark"}],
    ids=str,
)
def test_the_state_of_the_widget(options: dict[str, Any]) -> None:
    # Credentials of whoever runs the tests do not matter.
    names = ("_width", "_height", "_url", "_panel_states", "_theme")
    theirs = official_notebook.Viewer(use_global_recording=False, **options)
    ours = rr.notebook.Viewer(use_global_recording=False, **options)
    for viewer in (theirs, ours):
        viewer.update_panels(top="hidden", blueprint="collapsed", time="expanded")
        viewer.update_panels(blueprint="default", selection="hidden")
    states = [{name: getattr(each, name) for name in names} for each in (theirs._viewer, ours._widget)]
    assert states[0] == states[1]


def test_recordings_reach_the_widget_alike(sent: list[Message]) -> None:
    values: list[list[float]] = []
    sdk: Any
    for sdk in (official, rr):
        sent.clear()
        rec = sdk.RecordingStream("app", recording_id="alike")
        rec.log("a", sdk.Scalars(1.0))
        viewer: Any = sdk.notebook.Viewer(recording=rec)
        if sdk is rr:
            viewer._widget._handle_custom_msg("ready", [])
        rec.log("a", sdk.Scalars(2.0))
        rec.flush()
        assert {text for text, _ in sent} == {'{"type": "rrd"}'}
        assert all(data[:4] == b"RRF2" for _, [data] in sent)
        values.append([value for _, [data] in sent for value in scalars_of(data, "/a")])
        rec.disconnect()
    assert values == [[1.0, 2.0], [1.0, 2.0]]


EVENTS = [
    {"type": "play"},
    {"type": "pause", "segment_id": "s"},
    {"type": "time_update", "time": 1.5},
    {"type": "timeline_change", "timeline": "t", "time": 2},
    {"type": "recording_open", "source": "x", "version": "y"},
    {
        "type": "selection_change",
        "items": [
            {"type": "entity", "entity_path": "/a", "instance_id": 1, "position": [1, 2, 3]},
            {"type": "view", "view_id": "1", "view_name": "v"},
            {"type": "container", "container_id": "2", "container_name": "c"},
        ],
    },
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_events_have_the_same_fields(event: dict[str, Any]) -> None:
    told: list[Any] = []
    for viewer in (official_notebook.Viewer(use_global_recording=False), rr.notebook.Viewer()):
        viewer.on_event(told.append)
        widget: Any = getattr(viewer, "_viewer", None) or getattr(viewer, "_widget", None)
        text = json.dumps({"application_id": "app", "recording_id": "rec", **event})
        widget._handle_custom_msg(text, [])
    theirs, ours = told
    assert type(theirs).__name__ == type(ours).__name__
    assert theirs.type == ours.type == event["type"]
    for name, value in vars(theirs).items():
        found = getattr(ours, name)
        if name == "items":
            assert [vars(item) for item in value] == [
                {field: getattr(item, field) for field in item.__dataclass_fields__ if field != "type"}
                for item in found
            ]
            continue
        assert found == value
