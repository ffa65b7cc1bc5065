"""What tests of imports need: a recording in a file, importers on the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorerun.importers import external, registry
from tests.unit.importers.files import write_program, write_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The importers of whoever runs the tests have nothing to do with them."""
    monkeypatch.setattr(external._Found, "importers", [])
    monkeypatch.setattr(registry, "_registered", [])


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts an importer with this body on the path."""

    def put(body: str) -> None:
        write_program(tmp_path / "bin", body)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr(external._Found, "importers", None)

    return put


@pytest.fixture(scope="session")
def recording_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "other.rrd"
    write_recording(path)
    return path.read_bytes()


@pytest.fixture
def other(tmp_path: Path, recording_bytes: bytes) -> Path:
    """A recording in a file: three rows of a wave, and a static note."""
    path = tmp_path / "other.rrd"
    path.write_bytes(recording_bytes)
    return path
