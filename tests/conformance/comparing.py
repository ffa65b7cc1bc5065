"""Whether two files say the same: by the official program, and row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.codec.decoder import read_chunks
from aiorerun.types.store import StoreKind
from tests.reading import LoggedRow, rerun_cli, rows_of

if TYPE_CHECKING:
    from pathlib import Path


def comparable_rows(path: Path) -> list[tuple[str, str, str, str]]:
    """All rows of recordings but for what differs with every run, in an order that does not depend on it."""
    stores = {store for store, _ in read_chunks(path.read_bytes())}
    blueprints = {store.recording_id for store in stores if store.kind is StoreKind.BLUEPRINT}

    def essence(row: LoggedRow) -> tuple[str, str, str, str]:
        times = {name: time for name, time in row.times.items() if name != "log_time"}
        has_log_time = "log_time" in row.times
        return (
            row.recording,
            row.path,
            f"{sorted(times.items())} {has_log_time}",
            str(sorted(row.values.items())),
        )

    return sorted([essence(row) for row in rows_of(path) if row.recording not in blueprints])


def compare(ours: Path, official: Path) -> str:
    """What ``rerun rrd compare`` has against the two files."""
    result = rerun_cli("rrd", "compare", "--unordered", ours, official)
    return "" if result.returncode == 0 else (result.stdout + result.stderr)[:20_000]
