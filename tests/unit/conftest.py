"""Fixtures of tests in several folders."""

from __future__ import annotations

import pytest

from tests.unit.widget.standin import StandIns


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Viewers in notebooks are made with stand-ins of Rerun's widget."""
    return StandIns(monkeypatch)
