"""All commands: ``aiorerun COMMAND``, or ``python -m aiorerun COMMAND``."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.cli import cat, codes, info, merge, parquet, recover, split, verify
from aiorerun.cli.running import guarded
from aiorerun.demo import command as demo
from aiorerun.server import command as serve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Command(NamedTuple):
    """A command.

    Attributes:
        name: What it is called.
        about: What it does, in a line.
        details: More about it.
        add_arguments: Declares its options.
        run: Runs it and returns the exit code.
        is_guarded: Whether its errors are turned into messages; otherwise it does that itself.
    """

    name: str
    about: str
    details: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    is_guarded: bool = True


COMMANDS: Final = (
    Command(
        "demo",
        "record the machine this runs on into a file that Rerun opens",
        "",
        demo.add_arguments,
        demo.run,
        is_guarded=False,
    ),
    Command(
        "serve",
        "serve recordings that programs send here to any number of viewers",
        "",
        serve.add_arguments,
        serve.run,
        is_guarded=False,
    ),
    Command("info", info.ABOUT, info.DETAILS, info.add_arguments, info.run),
    Command("cat", cat.ABOUT, cat.DETAILS, cat.add_arguments, cat.run),
    Command("tail", cat.ABOUT_TAIL, cat.DETAILS_TAIL, cat.add_tail_arguments, cat.run_tail),
    Command("verify", verify.ABOUT, verify.DETAILS, verify.add_arguments, verify.run),
    Command("recover", recover.ABOUT, recover.DETAILS, recover.add_arguments, recover.run),
    Command("merge", merge.ABOUT, merge.DETAILS, merge.add_arguments, merge.run),
    Command("split", split.ABOUT, split.DETAILS, split.add_arguments, split.run),
    Command("to-parquet", parquet.ABOUT, parquet.DETAILS, parquet.add_arguments, parquet.run),
)


def parser(prog: str = "aiorerun") -> argparse.ArgumentParser:
    """The parser of all commands."""
    from aiorerun import __version__

    whole = argparse.ArgumentParser(
        prog=prog,
        description="Log to Rerun from asyncio programs, and work with the files.",
        epilog=codes.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"aiorerun {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        description = "\n\n".join(filter(None, (f"{command.about.capitalize()}.", command.details)))
        one = commands.add_parser(
            command.name,
            help=command.about,
            description=description,
            epilog=codes.EPILOG if command.is_guarded else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(one)
        one.set_defaults(command=command)
    return whole


def main(argv: Sequence[str] | None = None, prog: str = "aiorerun") -> int:
    """Runs a command and returns the exit code.

    Args:
        argv: The arguments; by default those of the process.
        prog: What the program is called in help texts.
    """
    whole = parser(prog)
    arguments = whole.parse_args(argv)
    if "command" not in arguments:
        whole.print_help(sys.stderr)
        return codes.USAGE
    command: Command = arguments.command
    if not command.is_guarded:
        return command.run(arguments)
    return guarded(command.name, partial(command.run, arguments))
