"""The commands ``aiorerun cat`` and ``aiorerun tail``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.notes import Notes
from aiorerun.cli.progress import shown
from aiorerun.cli.running import ascii_only, complain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from aiorerun.files.rows import Row

ABOUT: Final = "print the rows of an entity"
DETAILS: Final = """\
One line per row, in the order of the file: times, then components; long values are shortened. With --json,
every line is an object with everything in it, times as integers (nanoseconds). Rows of another recording than
those before follow a line `==> ID <==`, which --json does without.
"""
ABOUT_TAIL: Final = "print the last rows of an entity, and with -f those that come"
DETAILS_TAIL: Final = """\
As `cat`, but only the last rows. With -f it goes on with what is written to the file until the stream in the
file ends, its writer closes the pipe, or Ctrl-C.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``cat``."""
    parser.add_argument("entity", metavar="ENTITY", help="the entity path, such as /arm/current")
    parser.add_argument("file", metavar="FILE", help="an .rrd file, or - for standard input")
    parser.add_argument("--component", metavar="NAME", help="only this component, and rows that have it")
    parser.add_argument("--recording", metavar="ID", help="only the recording with this id")
    parser.add_argument("--json", action="store_true", help="print a JSON object per row")


def add_tail_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``tail``."""
    add_arguments(parser)
    parser.add_argument(
        "-n", "--lines", type=int, default=10, metavar="N", help="how many rows (default: 10)"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with the rows that come")


def run(arguments: argparse.Namespace) -> int:
    """Runs ``cat`` and returns the exit code."""
    notes, printer = Notes("cat"), _Printer(arguments)
    # A bar between the rows would be in the way.
    if sys.stdout.isatty():
        for row in _rows(arguments, notes):
            printer.print(row)
    else:
        with shown() as on_progress:
            for row in _rows(arguments, notes, on_progress):
                printer.print(row)
    return _outcome("cat", arguments, notes, printer)


def run_tail(arguments: argparse.Namespace) -> int:
    """Runs ``tail`` and returns the exit code."""
    from aiorerun.files.rows import last_rows

    if arguments.lines < 0:
        complain("tail", f"-n must be 0 or more, not {arguments.lines}")
        return codes.USAGE
    notes, printer = Notes("tail"), _Printer(arguments)
    if arguments.follow:
        return _follow(arguments, notes, printer)
    with shown() as on_progress:
        rows = last_rows(_rows(arguments, notes, on_progress), arguments.lines)
    for row in rows:
        printer.print(row)
    return _outcome("tail", arguments, notes, printer)


def _rows(arguments: argparse.Namespace, notes: Notes, on_progress: object = None) -> Iterator[Row]:
    from aiorerun.files.progress import ignore
    from aiorerun.files.rows import chunks_of, rows_of

    tell = on_progress if callable(on_progress) else ignore
    for chunk in chunks_of(arguments.file, _path(arguments), on_note=notes, on_progress=tell):
        yield from rows_of(chunk, arguments.component, arguments.recording)


def _path(arguments: argparse.Namespace) -> str:
    from aiorerun.types.entity_path import normalize_entity_path

    return normalize_entity_path(arguments.entity)


def _follow(arguments: argparse.Namespace, notes: Notes, printer: _Printer) -> int:
    from aiorerun.files.rows import last_rows, new_chunks_of, rows_of
    from aiorerun.recording.follow import POLL_SECS, Tail

    tail, path = Tail(arguments.file), _path(arguments)

    def look() -> list[Row] | None:
        chunks = new_chunks_of(tail, path, notes, arguments.file)
        if chunks is None:
            return None
        return [row for chunk in chunks for row in rows_of(chunk, arguments.component, arguments.recording)]

    # What is there already, of which only the last rows are wanted.
    last: list[Row] = []
    while (rows := look()) is not None:
        last = last_rows([*last, *rows], arguments.lines)
    for row in last:
        printer.print(row)
    sys.stdout.flush()
    while not tail.has_ended:
        rows = look()
        for row in rows or ():
            printer.print(row)
        if rows:
            sys.stdout.flush()
        elif not tail.has_ended:
            time.sleep(POLL_SECS)
    notes.finish()
    return codes.DONE if tail.error is None else codes.FAILED


def _outcome(name: str, arguments: argparse.Namespace, notes: Notes, printer: _Printer) -> int:
    notes.finish()
    if not printer.count and (name == "cat" or arguments.lines):
        complain(name, f"{arguments.file} has no such rows of {_path(arguments)}")
        return codes.FAILED
    return codes.DONE


class _Printer:
    """Prints rows, one a line."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._as_json: bool = arguments.json
        self._ascii_only = ascii_only()
        self._recording: str | None = None
        self.count = 0

    def print(self, row: Row) -> None:
        from aiorerun.files.rows import row_json, row_text

        self.count += 1
        if self._as_json:
            sys.stdout.write(row_json(row, ascii_only=self._ascii_only) + "\n")
            return
        recording = row.store.recording_id
        if self._recording not in (None, recording):
            sys.stdout.write(f"==> {recording} <==\n")
        self._recording = recording
        sys.stdout.write(row_text(row) + "\n")
