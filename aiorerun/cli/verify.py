"""The command ``aiorerun verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.progress import shown
from aiorerun.cli.running import complain

if TYPE_CHECKING:
    import argparse

    from aiorerun.files.reading import Note

ABOUT: Final = "read all of files and say what is wrong with them"
DETAILS: Final = """\
Every problem is a line FILE:BYTE: TEXT on standard output. Checked are the framing, every message, all
contents of every chunk, what chunks say about themselves, and that the footer is there and lists exactly
what is in the file.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="an .rrd or .rbl file, or - for standard input"
    )
    parser.add_argument(
        "--ignore-footers", action="store_true", help="a missing or wrong footer is no problem"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.files.verify import verify

    def tell(note: Note) -> None:
        sys.stdout.write(f"{note}\n")

    code = codes.DONE
    for path in arguments.files:
        try:
            with shown() as on_progress:
                found = verify(
                    path, tell, check_footers=not arguments.ignore_footers, on_progress=on_progress
                )
        except BrokenPipeError:
            raise
        except OSError as error:
            complain("verify", f"{path}: {error.strerror or error}")
            code = codes.FAILED
            continue
        if found.problems:
            code = codes.FAILED
        problems = f"{found.problems} problems" if found.problems else "ok"
        sys.stdout.write(
            f"{path}: {problems}; {found.rows:,} rows in {found.chunks:,} chunks of {found.stores:,} "
            "recordings and blueprints\n"
        )
    return code
