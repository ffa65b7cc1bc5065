"""What the machine and this process use."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aiorerun.integrations.sampling import Sampler
from aiorerun.integrations.system import SystemMonitor

if TYPE_CHECKING:
    from tests.unit.integrations.recorded import Recorded


def test_values_of_machine_and_process(recorded: Recorded) -> None:
    with SystemMonitor(interval=0.02):
        recorded.until(lambda: len(recorded.rows("system/process/rss_mib")) >= 3)
    paths = {row.entity_path for row in recorded.rows()}
    assert paths >= {
        "/system/cpu/percent",
        "/system/cpu/core_0",
        "/system/memory/used_mib",
        "/system/memory/percent",
        "/system/swap/used_mib",
        "/system/process/cpu_percent",
        "/system/process/rss_mib",
        "/system/process/threads",
        "/system/process/open_files",
    }
    rss = recorded.rows("system/process/rss_mib")[-1]["scalars"][0]
    assert rss == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.5)
    assert all(0 <= value[0] <= 100 for value in recorded.rows("system/cpu/percent").values("scalars"))
    assert recorded.rows("system/process/threads")[-1]["scalars"][0] >= 2


def test_only_one_of_them(recorded: Recorded) -> None:
    with SystemMonitor(interval=60, machine=False, path_prefix="mine"):
        pass
    # The last sample is taken when it stops.
    assert {row.entity_path.split("/")[2] for row in recorded.rows()} == {"process"}
    assert {row.entity_path.split("/")[1] for row in recorded.rows()} == {"mine"}


async def test_from_asyncio(recorded: Recorded) -> None:
    async with SystemMonitor(recorded.rec, interval=60, process=False):
        pass


def test_a_system_without_some_of_it(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "disk_io_counters", lambda: None)
    monkeypatch.setattr(psutil.Process, "io_counters", refuse)
    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    with SystemMonitor(recorded.rec, interval=60):
        pass
    paths = {row.entity_path for row in recorded.rows()}
    assert "/system/process/threads" in paths
    assert not [path for path in paths if "disk" in path or "memory" in path or "read_bytes" in path]


def test_an_error_is_told_once_and_it_goes_on(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Sampler):
        samples = 0

        def _sample(self) -> None:
            self.samples += 1
            raise RuntimeError("broken")

    broken = Broken(recorded.rec, 0.005)
    with caplog.at_level(logging.WARNING), broken:
        recorded.until(lambda: broken.samples >= 3)
    assert [record.message for record in caplog.records] == [
        "Broken: something is not recorded: RuntimeError: broken"
    ]
    with pytest.raises(NotImplementedError):
        Sampler(recorded.rec, 1)._sample()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.delitem(sys.modules, "aiorerun.integrations.system")
    with pytest.raises(ImportError, match=r"aiorerun\[system\]"):
        importlib.import_module("aiorerun.integrations.system")
