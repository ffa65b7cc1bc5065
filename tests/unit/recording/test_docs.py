"""The examples in the docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
from typing import TYPE_CHECKING

import pytest

import aiorerun.recording
import aiorerun.sync.recording

if TYPE_CHECKING:
    from pathlib import Path

MODULES = (
    "aiorerun.recording.aio",
    "aiorerun.recording.chunk",
    "aiorerun.recording.schema",
    "aiorerun.sync.recording",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_both_faces_offer_the_same() -> None:
    assert set(aiorerun.recording.__all__) == set(aiorerun.sync.recording.__all__)


@pytest.mark.parametrize("module", [aiorerun.recording, aiorerun.sync.recording])
def test_classes_with_behaviour_have_an_example(module: object) -> None:
    for name in ("Recording", "RRDArchive", "Chunk", "Schema", "follow"):
        assert ">>> " in (inspect.getdoc(getattr(module, name)) or ""), name
