"""The command ``python -m aiorerun demo``: arguments, the run itself, and the summary."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from aiorerun.stream import AsyncRecordingStream

_APPLICATION = "aiorerun_demo"
_MISSING_PSUTIL = (
    "The demo reads the machine with psutil, which is not installed.\n"
    "Install it with the extra `demo`:  pip install 'aiorerun[demo]'"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        metavar="N",
        help="how long to record (default: 10); 0 records until Ctrl-C",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo.rrd"),
        metavar="FILE",
        help="the file to write (default: demo.rrd in the current folder)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    seconds: float = arguments.seconds
    if not 0.0 <= seconds < float("inf"):
        print(f"--seconds must be 0 or more, not {seconds:g}", file=sys.stderr)
        return 2
    try:
        importlib.import_module("psutil")
    except ImportError:
        print(_MISSING_PSUTIL, file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(record(arguments.out, seconds or None))
    return 130


async def record(out: Path, seconds: float | None) -> int:
    """Records the machine into a file and prints what became of it.

    Args:
        out: The file to write.
        seconds: How long to record; ``None`` until the program is interrupted.

    Returns:
        The exit code.
    """
    import aiorerun as rr
    from aiorerun.demo.progress import shown
    from aiorerun.demo.samplers import RecordingHandler, Samplers, logger

    rec = rr.AsyncRecordingStream(_APPLICATION)
    async with rec:
        try:
            await rec.save(out)
        except OSError as error:
            print(f"{out} cannot be written: {error}", file=sys.stderr)
            return 1
        print(f"Recording this machine into {out} {_how_long(seconds)}.", flush=True)
        handler = RecordingHandler(rec)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            with _interruptible() as stop:
                async with shown(sys.stdout, seconds, lambda: rec.stats().rows_accepted):
                    await Samplers(rec).run(stop, seconds)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
    return await _summarize(rec, out)


def _how_long(seconds: float | None) -> str:
    return "until Ctrl-C" if seconds is None else f"for {seconds:g} s"


@contextlib.contextmanager
def _interruptible() -> Generator[asyncio.Event]:
    """Gives an event that Ctrl-C sets, so that the recording ends like one whose time is over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupted() -> None:
        stop.set()
        # A second Ctrl-C does what it does anywhere else.
        for number in signals:
            loop.remove_signal_handler(number)

    try:
        # Neither Windows nor threads other than the main one have these handlers: there Ctrl-C cancels
        # the task, which closes the file too.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in signals:
                loop.add_signal_handler(number, interrupted)
        yield stop
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in signals:
                loop.remove_signal_handler(number)


async def _summarize(rec: AsyncRecordingStream, out: Path) -> int:
    from aiorerun.demo.progress import size

    stats = rec.stats()
    try:
        written = await asyncio.to_thread(os.path.getsize, out)
    except OSError:
        print("No file was written: recording is switched off (environment variable RERUN).")
        return 0
    lost = stats.rows_dropped + stats.rows_refused
    counts = f"{stats.rows_accepted:,} rows in {stats.chunks:,} chunks"
    print(f"{out}: {counts}, {size(written)}, {lost} rows dropped.")
    print(f"Open it with:  rerun {out}   (the viewer comes with `pip install rerun-sdk`)")
    return 0 if lost == 0 else 1
