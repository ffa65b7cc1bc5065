"""How programs end: the file is complete, whatever way they take."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {
    "facade, three calls and nothing else": """
import sys
import aiorerun.sync as rr
rr.init("exit", recording_id="e")
rr.save(sys.argv[1])
rr.log("a", rr.Scalars(0.0))
rr.log("a", rr.Scalars(1.0))
rr.log("a", rr.Scalars(2.0))
""",
    "facade, logged before save": """
import sys
import aiorerun.sync as rr
rec = rr.RecordingStream("exit", recording_id="e")
for number in range(3):
    rec.log("a", rr.Scalars(float(number)))
rec.save(sys.argv[1])
""",
    "facade, sys.exit": """
import sys
import aiorerun.sync as rr
rr.init("exit", recording_id="e")
rr.save(sys.argv[1])
for number in range(3):
    rr.log("a", rr.Scalars(float(number)))
sys.exit(3)
""",
    "facade, exception": """
import sys
import aiorerun.sync as rr
with rr.RecordingStream("exit", recording_id="e") as rec:
    rec.save(sys.argv[1])
    for number in range(3):
        rr.log("a", rr.Scalars(float(number)))
    raise SystemError("on purpose")
""",
    "facade, last reference dropped": """
import gc, sys
import aiorerun.sync as rr
rec = rr.RecordingStream("exit", recording_id="e")
rec.save(sys.argv[1])
for number in range(3):
    rec.log("a", rr.Scalars(float(number)))
del rec
gc.collect()
""",
    "facade inside a running loop": """
import asyncio, sys
import aiorerun.sync as rr
async def main():
    rr.init("exit", recording_id="e")
    rr.save(sys.argv[1])
    for number in range(3):
        rr.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0)
    rr.flush()
asyncio.run(main())
""",
    "asyncio, stream left open": """
import asyncio, sys
import aiorerun as rr
async def main():
    await rr.init("exit", recording_id="e")
    await rr.save(sys.argv[1])
    for number in range(3):
        await rr.log("a", rr.Scalars(float(number)))
asyncio.run(main())
""",
    "asyncio, exception": """
import asyncio, sys
import aiorerun as rr
async def main():
    async with rr.AsyncRecordingStream("exit", recording_id="e") as rec:
        await rec.save(sys.argv[1])
        for number in range(3):
            await rec.log("a", rr.Scalars(float(number)))
        raise SystemError("on purpose")
asyncio.run(main())
""",
    "asyncio, loop closed by hand": """
import asyncio, sys
import aiorerun as rr
loop = asyncio.new_event_loop()
rec = rr.AsyncRecordingStream("exit", recording_id="e")
async def main():
    await rec.save(sys.argv[1])
    for number in range(3):
        await rec.log("a", rr.Scalars(float(number)))
loop.run_until_complete(main())
loop.close()
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_way_out_leaves_a_complete_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "exit.rrd"
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::RuntimeWarning", "-c", SCRIPTS[name], str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ended_badly = "exception" in name
    assert result.returncode == (1 if ended_badly else 3 if "sys.exit" in name else 0), result.stderr
    if not ended_badly and "by hand" not in name:
        assert "Traceback" not in result.stderr, result.stderr
        assert "destroyed" not in result.stderr, result.stderr
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0], result.stderr
    assert_verified([path])
