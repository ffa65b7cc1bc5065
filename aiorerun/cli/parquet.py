"""The command ``aiorerun to-parquet``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aiorerun.cli import codes
from aiorerun.cli.notes import Notes
from aiorerun.cli.output import add_continue, add_folder
from aiorerun.cli.progress import shown

if TYPE_CHECKING:
    import argparse

ABOUT: Final = "write the rows of recordings as Parquet files, one per entity"
DETAILS: Final = """\
The rows of /arm/current are in DIR/APPLICATION/RECORDING/arm/current.parquet: one row per logged row, with
the columns row_id, the timelines, and the components, each a list of instances. Static rows have no times.
Rows whose components have other types than those before are in current@2.parquet and so on. Characters that
file names cannot have are percent-encoded. The names of the files are printed. Blueprints are left out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    add_folder(parser)
    parser.add_argument("--entity", metavar="PATH", help="only this entity and those below it")
    add_continue(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.files.parquet import to_parquet
    from aiorerun.types.entity_path import normalize_entity_path

    notes = Notes("to-parquet")
    with shown() as on_progress:
        made = to_parquet(
            arguments.file,
            arguments.output_dir,
            force=arguments.force,
            entity_path=None if arguments.entity is None else normalize_entity_path(arguments.entity),
            continue_on_error=arguments.continue_on_error,
            on_note=notes,
            on_progress=on_progress,
        )
    notes.finish()
    sys.stdout.writelines(f"{file.path}\n" for file in made)
    return codes.DONE
