"""What the tests of viewers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorerun.viewer import executable, spawn
from tests.unit.viewer.standin import kill_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where stand-ins are; what they started is ended afterwards."""
    yield tmp_path
    kill_all(tmp_path)


@pytest.fixture(autouse=True)
def clean_slate(monkeypatch: pytest.MonkeyPatch) -> None:
    """No warning was given before, and no viewer is remembered."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(executable, "_told", set())
    monkeypatch.setattr(spawn, "_attached", set())
    monkeypatch.setattr(spawn, "_detached", [])
