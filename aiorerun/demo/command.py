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

from aiorerun.config import DEFAULT_GRPC_PORT, DEFAULT_WEB_PORT

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
        metavar="N",
        help="how long to record (default: 10, or with --live until Ctrl-C); 0 records until Ctrl-C",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo.rrd"),
        metavar="FILE",
        help="the file to write (default: demo.rrd in the current folder)",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="write no file, but serve the data and the web viewer (extra `web`), and print the URL",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_GRPC_PORT,
        help="where --live serves the data (default: %(default)s); 0 takes a free port",
    )
    parser.add_argument(
        "--web-port",
        type=int,
        default=DEFAULT_WEB_PORT,
        help="where --live serves the web viewer (default: %(default)s); 0 takes a free port",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    live: bool = arguments.live
    seconds: float = (0.0 if live else 10.0) if arguments.seconds is None else arguments.seconds
    if not 0.0 <= seconds < float("inf"):
        print(f"--seconds must be 0 or more, not {seconds:g}", file=sys.stderr)
        return 2
    try:
        importlib.import_module("psutil")
    except ImportError:
        print(_MISSING_PSUTIL, file=sys.stderr)
        return 2
    run = show(arguments.port, arguments.web_port, seconds or None) if live else None
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run or record(arguments.out, seconds or None))
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

    rec = rr.AsyncRecordingStream(_APPLICATION)
    async with rec:
        try:
            await rec.save(out)
        except OSError as error:
            print(f"{out} cannot be written: {error}", file=sys.stderr)
            return 1
        print(f"Recording this machine into {out} {_how_long(seconds)}.", flush=True)
        await _sample(rec, seconds)
    return await _summarize(rec, out)


async def show(port: int, web_port: int, seconds: float | None) -> int:
    """Records the machine for viewers, and serves the web viewer to look at it with.

    Args:
        port: Where the data is served.
        web_port: Where the page of the web viewer is served.
        seconds: How long to record; ``None`` until the program is interrupted.

    Returns:
        The exit code.
    """
    import aiorerun as rr
    from aiorerun import web_viewer
    from aiorerun.viewer.page_server import viewer_url

    rec = rr.AsyncRecordingStream(_APPLICATION)
    async with rec:
        try:
            page = await web_viewer.serve(web_port, open_browser=False, connect_to=None)
            uri = await rec.serve_grpc(grpc_port=port)
        except (ImportError, OSError) as error:
            print(f"The demo cannot be served: {error}", file=sys.stderr)
            return 2 if isinstance(error, ImportError) else 1
        print(f"Recording this machine {_how_long(seconds)}. Watch it in a browser:\n\n    ", end="")
        print(f"{viewer_url(page.url, uri)}\n\nor with:  rerun --connect {uri}", flush=True)
        await _sample(rec, seconds)
    stats = rec.stats()
    print(f"{stats.rows_accepted:,} rows in {stats.chunks:,} chunks.")
    return 0


async def _sample(rec: AsyncRecordingStream, seconds: float | None) -> None:
    from aiorerun.demo.progress import shown
    from aiorerun.demo.samplers import RecordingHandler, Samplers, logger

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
