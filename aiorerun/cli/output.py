"""Options for what commands write."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aiorerun.cli.running import complain

if TYPE_CHECKING:
    import argparse


def add_output(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    """Declares ``-o`` and ``--force`` for commands that write one file."""
    parser.add_argument("-o", "--output", required=required, metavar="FILE", help=text)
    add_force(parser)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declares ``-o`` and ``--force`` for commands that write several files."""
    parser.add_argument(
        "-o",
        "--output-dir",
        required=True,
        metavar="DIR",
        help="the folder to write to; made if it does not exist",
    )
    add_force(parser)


def add_force(parser: argparse.ArgumentParser) -> None:
    """Declares ``--force``."""
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def add_continue(parser: argparse.ArgumentParser) -> None:
    """Declares ``--continue-on-error``."""
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="leave damaged messages out, and say so (by default they are an error; `recover` finds more)",
    )


def refuse_terminal(name: str, output: str) -> bool:
    """Says that a file is not for terminals, if that is where it would go."""
    if output == "-" and sys.stdout.isatty():
        complain(name, "the standard output is a terminal; redirect it, or name a file with -o")
        return True
    return False


def warn_without_footer(name: str, output: str, *, has_footer: bool) -> None:
    """Says that a file got no footer."""
    if not has_footer:
        complain(name, f"{output} has no footer: it has too many chunks for one; `split` makes smaller files")
