"""The example runs and gives what it says."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import aiorerun.files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(aiorerun.files)
    assert result.attempted > 0
    assert result.failed == 0
