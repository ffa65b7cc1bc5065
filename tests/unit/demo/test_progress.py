from __future__ import annotations

import asyncio
import io

import pytest

from aiorerun.demo.progress import bar, shown, size


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("elapsed", "full"),
    [(0.0, 0), (2.5, 15), (5.0, 30), (9.0, 30)],
)
def test_bar_fills_with_time(elapsed: float, full: int) -> None:
    line = bar(elapsed, 5.0, 1234)

    assert line.count("█") == full
    assert line.count("░") == 30 - full
    assert line.endswith("/5 s  1,234 rows")


def test_bar_of_an_endless_run_tells_how_to_end_it() -> None:
    assert bar(3.0, None, 7) == "   3.0 s  7 rows  (Ctrl-C ends it)"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_340_000, "2.3 MB"), (5 * 10**9, "5.0 GB")],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


async def test_bar_is_drawn_and_wiped_on_a_terminal() -> None:
    terminal = Terminal()
    drawn = asyncio.Event()
    loop = asyncio.get_running_loop()

    def rows() -> int:
        loop.call_soon_threadsafe(drawn.set)
        return 42

    async with shown(terminal, 5.0, rows):
        await drawn.wait()

    text = terminal.getvalue()
    assert "42 rows" in text
    assert text.endswith("\r\x1b[2K")


async def test_bar_is_plain_where_the_terminal_has_no_blocks() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    drawn = asyncio.Event()
    loop = asyncio.get_running_loop()

    def rows() -> int:
        loop.call_soon_threadsafe(drawn.set)
        return 42

    async with shown(terminal, 1e-9, rows):
        await drawn.wait()

    assert b"[" + b"#" * 30 + b"]" in raw.getvalue()


async def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    output = io.StringIO()

    async with shown(output, 5.0, lambda: 1):
        await asyncio.sleep(0)

    assert output.getvalue() == ""


async def test_bar_is_wiped_when_the_body_raises() -> None:
    terminal = Terminal()

    with pytest.raises(KeyError):
        async with shown(terminal, None, lambda: 0):
            raise KeyError("the body")

    assert terminal.getvalue().endswith("\r\x1b[2K")
