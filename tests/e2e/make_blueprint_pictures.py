"""Makes the pictures in docs/blueprints.md: ``python -m tests.e2e.make_blueprint_pictures``.

Each is of what the code above it writes.

Needs the graphics driver that `.ci/system-packages` installs, and the extra `images`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from tests.e2e.showing import errors, settled, show, viewer

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "blueprints.md"
MAX_BYTES: Final = 100_000
WIDTH: Final = 800
QUIET_SECS: Final = 7.0
"""By then what the viewer tells in the corner of its window is gone."""

_PAIRS: Final = re.compile(
    r"```python\n((?:(?!```).)*?)```\n\n!\[[^\]]*\]\((images/blueprint-[\w-]+\.png)\)", re.DOTALL
)


class Example(NamedTuple):
    """A block of code, and the picture of what it writes."""

    code: str
    picture: str


def examples(page: Path = PAGE) -> list[Example]:
    """The blocks of the page that have a picture."""
    return [Example(*pair) for pair in _PAIRS.findall(page.read_text(encoding="utf-8"))]


async def run(code: str, folder: str) -> Path:
    """Runs a block; the file that it writes."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=folder)
    if await process.wait() != 0:
        raise SystemExit("the code has failed")
    [path] = Path(folder).glob("*.rrd")
    return path


async def shoot(code: str, size: str) -> bytes:
    """The picture of what a block writes, in a viewer of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = await run(code, folder)
        async with viewer(size) as client:
            await show(client, path)
            await client.run_command("ui.toggle_top_panel")
            if "panel" not in code.lower():
                await client.run_command("ui.toggle_selection_panel")
            state, picture = await settled(client, QUIET_SECS)
    if found := errors(state.views):
        raise SystemExit(f"the viewer complains: {found}")
    return picture


def shrink(png: bytes, width: int = WIDTH) -> bytes:
    """The same picture, not wider than that and with few colours."""
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    if picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    for colors in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colors, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()


async def make(out: Path, size: str, only: str) -> None:
    """Makes all pictures whose name has ``only`` in it."""
    for example in examples():
        if only in example.picture:
            png = shrink(await shoot(example.code, size))
            path = out / example.picture
            await asyncio.to_thread(path.write_bytes, png)
            print(f"{path}: {len(png)} bytes")


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS, metavar="FOLDER", help="with a folder `images`")
    parser.add_argument("--size", default="1100x640", metavar="WxH", help="of the window")
    parser.add_argument("--only", default="", metavar="TEXT", help="only pictures with this in their names")
    arguments = parser.parse_args()
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    asyncio.run(make(arguments.out, arguments.size, arguments.only))


if __name__ == "__main__":
    main()
