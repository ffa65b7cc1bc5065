"""The command ``aiorerun merge``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.notes import Notes
from aiorerun.cli.output import add_continue, add_output, refuse_terminal, warn_without_footer
from aiorerun.cli.progress import shown
from aiorerun.cli.running import complain

if TYPE_CHECKING:
    import argparse

ABOUT: Final = "make one file of several"
DETAILS: Final = """\
Recordings stay apart, and what belongs to the same one (application and recording id) is joined. Chunks that
are there several times are written once; all stay as they are, byte for byte, file after file. Parts that
`split` has made become one file again. An incomplete message at the end of a file is left out, and said.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="an .rrd or .rbl file, or - for standard input"
    )
    add_output(parser, "the new file, or - for standard output", required=True)
    add_continue(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.files.amounts import size_text
    from aiorerun.files.merge import merge

    if refuse_terminal("merge", arguments.output):
        return codes.USAGE
    notes = Notes("merge")
    with shown() as on_progress:
        outcome = merge(
            arguments.files,
            arguments.output,
            force=arguments.force,
            continue_on_error=arguments.continue_on_error,
            on_note=notes,
            on_progress=on_progress,
        )
    notes.finish()
    again = f", {outcome.repeated:,} repeated ones left out" if outcome.repeated else ""
    complain(
        "merge",
        f"{arguments.output}: {outcome.rows:,} rows in {outcome.chunks:,} chunks of {outcome.stores:,} "
        f"recordings and blueprints, {size_text(outcome.nbytes)}{again}",
    )
    warn_without_footer("merge", arguments.output, has_footer=outcome.has_footer)
    return codes.DONE
