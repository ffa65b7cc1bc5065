"""Makes the README's picture of the live demo: ``python -m tests.e2e.make_screenshot``.

Needs what `.ci/system-packages` installs, and the extras `demo`, `images` and `web`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

OUT = Path(__file__).parents[2] / "docs" / "images" / "live-demo.png"
MAX_BYTES = 300_000
_SCRIPT = Path(__file__).with_name("web_shot.mjs")
_LOOK = "theme=dark&selection_panel=collapsed&time_panel=collapsed"
_PAGE = re.compile(r"http://\S+\?url=\S+")


@asynccontextmanager
async def demo() -> AsyncGenerator[str]:
    """The live demo, running; its page."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aiorerun", "demo", "--live", "--port", "0", "--web-port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    # It goes on printing while the picture is taken.
    rest = None
    try:
        async with asyncio.timeout(30):
            while (match := _PAGE.search((line := await process.stdout.readline()).decode())) is None:
                if not line:
                    raise SystemExit("the demo has ended without a page")
        rest = asyncio.create_task(process.stdout.read())
        yield match.group()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if rest is not None:
            await rest


async def shoot(page: str, size: str, settle: float) -> bytes:
    """The picture of a page, some seconds after it has opened a recording."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("there is no Node.js")
    with tempfile.TemporaryDirectory() as directory:
        shot = Path(directory) / "shot.png"
        arguments = ["--shot", str(shot), "--size", size, "--wait", "180", "--settle", str(settle)]
        process = await asyncio.create_subprocess_exec(
            node, str(_SCRIPT), page, *arguments, "--event", "recording_open"
        )
        if await process.wait() != 0:
            raise SystemExit("the page has not shown a recording")
        return await asyncio.to_thread(shot.read_bytes)


def shrink(png: bytes, width: int) -> bytes:
    """The same picture, not wider than that and with 256 colours, which is little enough for a README."""
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    if picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


async def run(arguments: argparse.Namespace) -> bytes:
    """Takes the picture of the page that was named, or of the demo."""
    if arguments.page is not None:
        return await shoot(arguments.page, arguments.size, arguments.settle)
    async with demo() as page:
        return await shoot(f"{page}&{_LOOK}", arguments.size, arguments.settle)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", metavar="URL", help="a page to take instead of the demo's")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    parser.add_argument("--size", default="1280x800", metavar="WxH", help="of the window")
    parser.add_argument("--width", type=int, default=1280, help="of the picture, at most")
    parser.add_argument(
        "--settle", type=float, default=20.0, metavar="SECONDS", help="to look at the page first"
    )
    arguments = parser.parse_args()
    png = shrink(asyncio.run(run(arguments)), arguments.width)
    if len(png) > MAX_BYTES:
        raise SystemExit(f"{len(png)} bytes are too many for a README; try a smaller --width")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(png)
    print(f"{arguments.out}: {len(png)} bytes")


if __name__ == "__main__":
    main()
