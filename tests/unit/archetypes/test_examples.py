"""The examples in the archetypes' documentation run, and what they log arrives."""

from __future__ import annotations

import ast
import asyncio
import inspect
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import archetypes, errors
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

OFTEN_USED = {
    "AnnotationContext", "Arrows3D", "BarChart", "Boxes2D", "Boxes3D", "DepthImage", "EncodedImage", "Image",
    "LineStrips2D", "LineStrips3D", "Mesh3D", "Pinhole", "Points2D", "Points3D", "Scalars",
    "SegmentationImage", "SeriesLines", "TextDocument", "TextLog", "Transform3D",
}  # fmt: skip


def example_of(name: str) -> str | None:
    """The lines of the example in a docstring."""
    documentation = inspect.getdoc(getattr(archetypes, name)) or ""
    _, found, rest = documentation.partition("\nExample:\n")
    if not found:
        return None
    lines: list[str] = []
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


EXAMPLES = {name: text for name in archetypes.__all__ if (text := example_of(name)) is not None}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    monkeypatch.chdir(tmp_path)
    with errors.strict_scope(True):
        yield tmp_path


def test_the_archetypes_used_most_have_examples() -> None:
    assert set(EXAMPLES) >= OFTEN_USED


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_runs_and_logs_what_it_shows(name: str, folder: Path) -> None:
    names: dict[str, Any] = {"rr": rr, "np": np, "asyncio": asyncio, "Path": Path}
    body = textwrap.indent(EXAMPLES[name], "    ")
    code = compile(ast.parse(f"async def example(rec):\n{body}"), name, "exec")
    exec(code, names)
    path = folder / "example.rrd"
    async with rr.AsyncRecordingStream("examples", recording_id=name, send_properties=False) as rec:
        await rec.save(path)
        await names["example"](rec)
        assert rec.stats().rows_dropped == 0
    rows = await asyncio.to_thread(rows_of, path)
    assert len(rows) == EXAMPLES[name].count("await rec.log(")
    logged = {component.partition(":")[0] for row in rows for component in row.values}
    assert name in logged
