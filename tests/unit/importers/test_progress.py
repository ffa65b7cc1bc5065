"""The bar for directories."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.importers import progress

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def import_directory(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.txt").write_text("x")
    async with rr.AsyncRecordingStream("target", recording_id="new") as rec:
        await rec.memory_recording()
        await rec.log_file_from_path(folder)


async def test_a_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "DELAY_SECS", 0)
    monkeypatch.setenv("COLUMNS", "80")
    await import_directory(tmp_path)
    assert "3/3" in terminal.getvalue()


async def test_none_for_what_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    await import_directory(tmp_path)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("stderr", [io.StringIO(), None])
async def test_none_without_a_terminal(
    stderr: io.StringIO | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "DELAY_SECS", 0)
    await import_directory(tmp_path)
    assert stderr is None or stderr.getvalue() == ""


async def test_none_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "DELAY_SECS", 0)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    await import_directory(tmp_path)
    assert terminal.getvalue() == ""
