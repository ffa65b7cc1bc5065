"""The command ``aiorerun recover``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.output import add_output, refuse_terminal, warn_without_footer
from aiorerun.cli.progress import shown
from aiorerun.cli.running import complain

if TYPE_CHECKING:
    import argparse

    from aiorerun.files.recover import Recovered

ABOUT: Final = "make a complete file of one that was cut off or damaged"
DETAILS: Final = """\
Every complete message is kept as it is, in its order; the new file has a footer. What is left out is said on
standard error, with its place. The file itself is not changed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    add_output(
        parser, "the new file (default: FILE with .recovered.rrd at its end), or - for standard output"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.files.recover import recover

    output = arguments.output or _beside(arguments.file)
    if output is None:
        complain("recover", "say with -o where to write what comes from standard input")
        return codes.USAGE
    if refuse_terminal("recover", output):
        return codes.USAGE
    with shown() as on_progress:
        outcome = recover(arguments.file, output, force=arguments.force, on_progress=on_progress)
    _report(output, outcome)
    return codes.DONE


def _beside(file: str) -> str | None:
    if file == "-":
        return None
    path = Path(file)
    return os.fspath(path.with_name(f"{path.stem}.recovered{path.suffix or '.rrd'}"))


def _report(output: str, outcome: Recovered) -> None:
    for damage in outcome.dropped:
        complain("recover", f"dropped bytes {damage.start} to {damage.end}: {damage.reason}")
    if outcome.num_dropped > len(outcome.dropped):
        complain("recover", f"dropped {outcome.num_dropped - len(outcome.dropped)} more stretches")
    lost = f"dropped {outcome.dropped_bytes:,} bytes" if outcome.dropped_bytes else "dropped nothing"
    end = "" if outcome.was_complete else "; the footer was missing"
    complain(
        "recover",
        f"{output}: kept {outcome.rows:,} rows in {outcome.chunks:,} chunks "
        f"({outcome.messages:,} messages), {lost}{end}",
    )
    warn_without_footer("recover", output, has_footer=outcome.has_footer)
