"""Named values as components: bounded, and one kind for each name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiorerun
from aiorerun.integrations import fields as fields_module
from aiorerun.integrations.fields import MAX_FIELDS, MAX_TEXT, active_recording, fields

if TYPE_CHECKING:
    import pytest


def components(archetype: str, values: dict[str, Any]) -> dict[str, Any]:
    row = fields(archetype, values.items())
    assert row is not None
    return {
        batch.component_descriptor().component.removeprefix(
            f"{archetype}:"
        ): batch.as_arrow_array().to_pylist()
        for batch in row.component_batches
    }


def test_nothing_to_say() -> None:
    assert fields("a", []) is None
    assert fields("a", [("x", None)]) is None


def test_what_is_neither_number_nor_text() -> None:
    class Own:
        def __str__(self) -> str:
            return "own"

    made = components("kinds", {"own": Own(), "bytes": b"x", "map": {"a": Own()}, "list": [1, 2.5, "é"]})
    assert made == {"own": ["own"], "bytes": ["b'x'"], "map": ['{"a": "own"}'], "list": ['[1, 2.5, "é"]']}


def test_they_are_bounded() -> None:
    made = components("bounds", {f"name_{number}": "x" * 100_000 for number in range(1000)})
    assert len(made) == MAX_FIELDS
    assert {len(value) for (value,) in made.values()} == {MAX_TEXT}


def test_values_that_do_not_end() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    (text,) = components("endless", {"list": endless})["list"]
    assert text.endswith('[1, "…"]]]]]]]]')
    (text,) = components("endless", {"numbers": list(range(1_000_000))})["numbers"]
    assert text.endswith(", 255]")
    (text,) = components("endless", {"bytes": b"x" * 100_000_000})["bytes"]
    assert len(text) == MAX_TEXT


def test_too_many_names_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields_module, "_kinds", {})
    monkeypatch.setattr(fields_module, "MAX_NAMES", 2)
    assert components("names", {"a": 1, "b": 2, "c": 3, "d": "four"}) == {
        "a": [1],
        "b": [2],
        "more": ["c=3, d=four"],
    }
    # Known names go on as they are.
    assert components("names", {"b": 5}) == {"b": [5]}


async def test_which_recording_is_active() -> None:
    assert active_recording() is None
    rec = aiorerun.AsyncRecordingStream("app")
    with rec:
        assert active_recording() is rec
