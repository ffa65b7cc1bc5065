from __future__ import annotations

import os
import time
from typing import NamedTuple

import psutil
import pytest

from aiorerun.demo.machine import CpuMeter, Process, ProcessMeter, RateMeter, as_table, busy_percent


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float


class Counters(NamedTuple):
    read: int
    written: int


def test_busy_is_what_is_neither_idle_nor_waiting() -> None:
    before = Times(10.0, 5.0, 100.0, 1.0, 0.0)
    now = Times(12.0, 6.0, 106.0, 2.0, 0.0)

    assert busy_percent(before, now) == pytest.approx(30.0)


def test_time_of_guests_counts_once() -> None:
    before = Times(0.0, 0.0, 0.0, 0.0, 0.0)
    now = Times(5.0, 0.0, 5.0, 0.0, 5.0)

    # Linux counts the five seconds of the guest in `user` as well: ten seconds went by, not fifteen.
    assert busy_percent(before, now) == 50.0


@pytest.mark.parametrize("idle", [0.0, -1.0])
def test_no_time_between_readings_is_no_load(idle: float) -> None:
    assert busy_percent(Times(1.0, 1.0, 1.0, 0.0, 0.0), Times(1.0, 1.0, 1.0 + idle, 0.0, 0.0)) == 0.0


def test_cpu_meter_sees_every_core() -> None:
    meter = CpuMeter()
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass

    loads = meter.read()

    assert len(loads) == psutil.cpu_count()
    assert all(0.0 <= load <= 100.0 for load in loads)
    assert max(loads) > 0.0


def test_rates_are_growth_per_second() -> None:
    readings = iter([Counters(100, 10), Counters(300, 10), Counters(300, 40)])
    clock = iter([0.0, 2.0, 3.0])
    meter = RateMeter(lambda: next(readings), ("read", "written"), lambda: next(clock))

    assert meter.available
    assert meter.read() == {"read": 100.0, "written": 0.0}
    assert meter.read() == {"read": 0.0, "written": 30.0}


def test_a_system_without_the_counters_gives_no_rates() -> None:
    meter = RateMeter(lambda: None, ("read",))

    assert not meter.available
    assert meter.read() == {}


def test_busiest_processes_come_first_and_this_one_is_among_them() -> None:
    meter = ProcessMeter()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

    table = meter.read(limit=100_000)

    shares = [process.cpu_percent for process in table]
    assert shares == sorted(shares, reverse=True)
    own = next(process for process in table if process.pid == os.getpid())
    assert own.cpu_percent > 5.0
    assert own.memory_bytes > 2**20
    assert len(meter.read(limit=1)) == 1


def test_table_keeps_its_columns_whatever_a_process_is_called() -> None:
    text = as_table([Process(7, "a|b", 12.34, 3 * 2**20)])

    assert text.splitlines()[-1] == "| a\\|b | 7 | 12.3 | 3.0 |"
