"""Events of the viewer: JSON texts become objects with typed fields."""

from __future__ import annotations

import json
from typing import Any

import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun.widget.events import parse_event

n = rr.notebook
ABOUT = {"application_id": "app", "recording_id": "rec", "segment_id": None}


@pytest.mark.parametrize(
    ("data", "event"),
    [
        ({"type": "play"}, n.PlayEvent("app", "rec", None)),
        ({"type": "pause", "segment_id": "s"}, n.PauseEvent("app", "rec", "s")),
        ({"type": "time_update", "time": 1.5}, n.TimeUpdateEvent("app", "rec", None, 1.5)),
        (
            {"type": "timeline_change", "timeline": "frame", "time": 3},
            n.TimelineChangeEvent("app", "rec", None, "frame", 3),
        ),
        (
            {"type": "recording_open", "source": "http://x", "version": "0.41.0"},
            n.RecordingOpenEvent("app", "rec", None, "http://x", "0.41.0"),
        ),
        ({"type": "recording_open", "source": "x"}, n.RecordingOpenEvent("app", "rec", None, "x", None)),
        (
            {
                "type": "selection_change",
                "items": [
                    {"type": "entity", "entity_path": "/a"},
                    {
                        "type": "entity",
                        "entity_path": "/b",
                        "instance_id": 3,
                        "view_name": "v",
                        "position": [1.0, 2.0, 3.0],
                    },
                    {"type": "view", "view_id": "1", "view_name": "v"},
                    {"type": "container", "container_id": "2", "container_name": "c"},
                    {"type": "of a later version"},
                ],
            },
            n.SelectionChangeEvent(
                "app",
                "rec",
                None,
                [
                    n.EntitySelectionItem("/a"),
                    n.EntitySelectionItem("/b", 3, "v", [1.0, 2.0, 3.0]),
                    n.ViewSelectionItem("1", "v"),
                    n.ContainerSelectionItem("2", "c"),
                ],
            ),
        ),
    ],
    ids=lambda each: each["type"] if isinstance(each, dict) else "",
)
def test_events(data: dict[str, Any], event: Any) -> None:
    found = parse_event(json.dumps({**ABOUT, **data}))
    assert found == event
    assert found is not None
    assert found.type == data["type"]


def test_types_of_items() -> None:
    items = (n.EntitySelectionItem("a"), n.ViewSelectionItem("a", "b"), n.ContainerSelectionItem("a", "b"))
    assert [item.type for item in items] == ["entity", "view", "container"]


@pytest.mark.parametrize(
    "text",
    [
        "ready",
        "[]",
        "3",
        "null",
        "{}",
        json.dumps({**ABOUT, "type": "of a later version"}),
        json.dumps({**ABOUT, "type": "time_update"}),
        json.dumps({**ABOUT, "type": "selection_change", "items": 3}),
    ],
)
def test_what_is_no_event_is_none(text: str) -> None:
    assert parse_event(text) is None


def test_both_apis_have_the_same_events() -> None:
    for name in rr.notebook.__all__:
        same = getattr(rr.notebook, name) is getattr(aiorerun.sync.notebook, name)
        assert same == (name not in {"Viewer", "notebook_show", "legacy_notebook_show"})
    assert rr.notebook.__all__ == aiorerun.sync.notebook.__all__
