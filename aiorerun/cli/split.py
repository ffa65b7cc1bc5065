"""The command ``aiorerun split``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.notes import Notes
from aiorerun.cli.output import add_continue, add_folder
from aiorerun.cli.progress import shown
from aiorerun.cli.running import complain

if TYPE_CHECKING:
    import argparse

    from aiorerun.files.split import Part, SplitOptions
    from aiorerun.files.split_time import Intervals
    from aiorerun.types.timeline import TimelineKind

ABOUT: Final = "make several files of one, by size or by time"
DETAILS: Final = """\
Every part can be opened alone: it begins with the announcement, properties and static data of its recordings
and their blueprints, and has a footer. The parts are called NAME_0000.rrd and so on, and their names are
printed. `merge` makes one file of them again.

By size, chunks stay as they are; a part is larger only if static data and one chunk are. By time, intervals
begin at multiples of their length (of whole hours in UTC for --every 1h), or at the times given; chunks that
reach over several are divided. Rows that are not on the timeline are in the first part.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    add_folder(parser)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--size", metavar="SIZE", help="bytes of a part, such as 100MB or 1.5GiB")
    how.add_argument(
        "--every",
        metavar="INTERVAL",
        help="the length of a part on the timeline: steps, or a time such as 10s, 5min, 1.5h",
    )
    how.add_argument(
        "-t",
        "--time",
        action="append",
        metavar="TIME",
        help="a time at which a part begins: a number, seconds such as 1.5s, or 2026-11-25T21:30:00 in UTC; "
        "may be given several times",
    )
    parser.add_argument("--timeline", metavar="NAME", help="the timeline, for --every and --time")
    parser.add_argument(
        "--recording-id",
        metavar="PREFIX",
        help="give the recordings of every part an id of their own: this and the number of the part, and "
        "after a - the id they had if an application has several; by default they keep theirs, and viewers "
        "join the parts",
    )
    add_continue(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.files.split import SplitOptions

    if (arguments.timeline is None) != (arguments.size is not None):
        complain("split", "--timeline goes with --every or --time, and they with it")
        return codes.USAGE
    notes = Notes("split")
    with shown() as on_progress:
        options = SplitOptions(
            force=arguments.force,
            recording_id=arguments.recording_id,
            continue_on_error=arguments.continue_on_error,
            on_note=notes,
            on_progress=on_progress,
        )
        parts = _split(arguments, options)
    notes.finish()
    sys.stdout.writelines(f"{part.path}\n" for part in parts)
    return codes.DONE


def _split(arguments: argparse.Namespace, options: SplitOptions) -> list[Part]:
    from aiorerun.files.amounts import parse_interval, parse_size, parse_time
    from aiorerun.files.split import split_by_size
    from aiorerun.files.split_time import Between, Every, split_by_time

    if arguments.size is not None:
        return split_by_size(arguments.file, arguments.output_dir, parse_size(arguments.size), options)

    def intervals(kind: TimelineKind) -> Intervals:
        if arguments.every is not None:
            return Every(parse_interval(arguments.every, kind))
        return Between([parse_time(text, kind) for text in arguments.time])

    return split_by_time(arguments.file, arguments.output_dir, arguments.timeline, intervals, options)
