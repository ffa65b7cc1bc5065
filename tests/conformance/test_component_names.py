"""Names of components that are unusual: the official program finds them in the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiorerun as rr
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [":q", ":", "::", "a:b", "A:", ":A:x", "x y", "_x", "-x", "a.b", "a,b", "日本", "/e:f"]


async def test_footers_have_the_names_that_the_official_program_looks_for(tmp_path: Path) -> None:
    paths = []
    for number, name in enumerate(NAMES):
        path = tmp_path / f"{number}.rrd"
        rec = rr.AsyncRecordingStream("app", recording_id="names", send_properties=False)
        await rec.save(path)
        values: dict[str, Any] = {name: 1}
        await rec.log("static", rr.AnyValues(**values), static=True)
        rec.set_time("frame", sequence=number)
        await rec.log("temporal", rr.AnyValues(**values))
        await rec.log("own", rr.DynamicArchetype("Own", components=values))
        await rec.disconnect()
        assert {key for row in rows_of(path) for key in row.values} == {name, f"Own:{name}"}
        paths.append(path)
    assert_verified(paths)
