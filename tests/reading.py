"""Reads what was written, for tests: rows as plain Python values, and the official programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aiorerun.codec.decoder import read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable


class LoggedRow(NamedTuple):
    """One row of a recording.

    Attributes:
        recording: The recording id.
        path: The entity path.
        times: Values by timeline name; empty for a static row.
        values: Lists of instances by component name.
        row_id: The id of the row.
    """

    recording: str
    path: str
    times: dict[str, int]
    values: dict[str, Any]
    row_id: bytes


def rows_of(source: bytes | str | Path) -> list[LoggedRow]:
    """All rows of an RRD stream in file order, those of ``/__properties`` left out."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    rows: list[LoggedRow] = []
    for store, batch in read_chunks(data):
        path = batch.schema.metadata[b"rerun:entity_path"].decode()
        if path.startswith("/__properties"):
            continue
        columns = {}
        kinds = {}
        for field, column in zip(batch.schema, batch.columns, strict=True):
            kind = field.metadata[b"rerun:kind"].decode()
            kinds[field.name] = kind
            columns[field.name] = column.cast("int64").to_pylist() if kind == "index" else column.to_pylist()
        for position in range(batch.num_rows):
            cells = {name: values[position] for name, values in columns.items()}
            rows.append(
                LoggedRow(
                    store.recording_id,
                    path,
                    {name: cell for name, cell in cells.items() if kinds[name] == "index"},
                    {
                        name: cell
                        for name, cell in cells.items()
                        if kinds[name] == "data" and cell is not None
                    },
                    next(cell for name, cell in cells.items() if kinds[name] == "control"),
                )
            )
    return rows


def scalars_of(source: bytes | str | Path, path: str) -> list[float]:
    """The values of all ``Scalars`` rows of an entity."""
    return [
        value
        for row in rows_of(source)
        if row.path == path
        for value in row.values.get("Scalars:scalars", [])
    ]


def rerun_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the official command line program that is installed beside this Python."""
    beside = Path(sys.executable).with_name("rerun")
    program = str(beside) if beside.exists() else shutil.which("rerun")
    assert program is not None, "rerun-sdk is not installed: pip install '.[dev]'"
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False
    )


def assert_verified(files: Iterable[str | Path], *, footers: bool = True) -> None:
    """``rerun rrd verify`` accepts all these files."""
    options = [] if footers else ["--check-footers", "false"]
    result = rerun_cli("rrd", "verify", *options, *files)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "without error" in result.stdout + result.stderr, result.stdout + result.stderr
