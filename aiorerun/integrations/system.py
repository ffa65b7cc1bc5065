"""A monitor that records what the machine and this process use."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from aiorerun.archetypes import Scalars
from aiorerun.integrations.sampling import Sampler

try:
    import psutil

    from aiorerun.integrations.machine import CpuMeter, RateMeter
except ImportError as error:
    raise ImportError("psutil is needed for this: pip install 'aiorerun[system]'") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.stream_base import BaseRecordingStream

__all__ = ["SystemMonitor"]

MIB = 1 << 20


class SystemMonitor(Sampler):
    """Records, once per interval and from a thread of its own, what the machine and this process use.

    ``with SystemMonitor():`` and ``async with SystemMonitor():`` run it. Each value is a ``Scalars``:

    - ``system/cpu/percent`` and ``system/cpu/core_<n>``: percent of the time;
    - ``system/memory/used_mib``, ``system/memory/percent``, ``system/swap/used_mib``;
    - ``system/disk/read_bytes_per_second`` and ``write_…``, ``system/network/received_bytes_per_second`` and
      ``sent_…``;
    - ``system/process/cpu_percent`` (100 is one core), ``rss_mib``, ``threads``, ``open_files`` and, where
      the system counts them, ``read_bytes_per_second`` and ``write_…``. No system counts what a process sends
      and receives.

    Args:
        recording: Where to; by default what is active when it is started, of either API.
        path_prefix: What entity paths begin with.
        interval: Seconds from sample to sample.
        machine: Whether to record the machine.
        process: Whether to record this process.
    """

    def __init__(
        self,
        recording: BaseRecordingStream | None = None,
        *,
        path_prefix: str = "system",
        interval: float = 1.0,
        machine: bool = True,
        process: bool = True,
    ) -> None:
        super().__init__(recording, interval)
        self.path_prefix = path_prefix
        self._parts = [
            part
            for part, wanted in (
                (_Cpu, machine),
                (_Memory, machine),
                (_disk, machine),
                (_network, machine),
                (_Process, process),
            )
            if wanted
        ]
        self._meters: list[Any] = []

    def _begin(self) -> None:
        self._meters = []
        for part in self._parts:
            # A system that does not have one of them has the others.
            with contextlib.suppress(OSError, psutil.Error, AttributeError, NotImplementedError):
                self._meters.append(part())

    def _sample(self) -> None:
        recording = self._recording
        assert recording is not None
        for meter in self._meters:
            with contextlib.suppress(OSError, psutil.Error):
                for path, value in meter.read():
                    recording.log_nowait(f"{self.path_prefix}/{path}", Scalars(float(value)))


class _Cpu:
    def __init__(self) -> None:
        self._meter = CpuMeter()

    def read(self) -> Iterator[tuple[str, float]]:
        loads = self._meter.read()
        if loads:
            yield "cpu/percent", sum(loads) / len(loads)
        for core, load in enumerate(loads):
            yield f"cpu/core_{core}", load


class _Memory:
    def read(self) -> Iterator[tuple[str, float]]:
        memory = psutil.virtual_memory()
        yield "memory/used_mib", (memory.total - memory.available) / MIB
        yield "memory/percent", memory.percent
        yield "swap/used_mib", psutil.swap_memory().used / MIB


class _Rates:
    def __init__(self, subject: str, counters: Any, fields: dict[str, str]) -> None:
        self._subject = subject
        self._fields = fields
        self._meter = RateMeter(counters, tuple(fields))

    def read(self) -> Iterator[tuple[str, float]]:
        for name, rate in self._meter.read().items():
            yield f"{self._subject}/{self._fields[name]}_bytes_per_second", rate


def _disk() -> _Rates:
    return _Rates("disk", psutil.disk_io_counters, {"read_bytes": "read", "write_bytes": "write"})


def _network() -> _Rates:
    return _Rates("network", psutil.net_io_counters, {"bytes_recv": "received", "bytes_sent": "sent"})


class _Process:
    def __init__(self) -> None:
        self._process: Any = psutil.Process()
        process = self._process
        self._cpu = RateMeter(process.cpu_times, ("user", "system"))
        self._io: _Rates | None = None
        # Not everywhere, and not for everybody.
        with contextlib.suppress(AttributeError, OSError, psutil.Error):
            fields = {"read_bytes": "read", "write_bytes": "write"}
            self._io = _Rates("process", process.io_counters, fields)

    def read(self) -> Iterator[tuple[str, float]]:
        process = self._process
        worked = self._cpu.read()
        if worked:
            yield "process/cpu_percent", 100.0 * (worked["user"] + worked["system"])
        yield "process/rss_mib", process.memory_info().rss / MIB
        yield "process/threads", process.num_threads()
        yield (
            "process/open_files",
            process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        )
        if self._io is not None:
            yield from self._io.read()
