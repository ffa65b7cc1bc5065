"""The command line: ``python -m aiorerun``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from aiorerun.demo import command as demo
from aiorerun.server import command as serve

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m aiorerun", description="Log to Rerun from asyncio programs."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    about = "record the machine this runs on into a file that Rerun opens"
    command = commands.add_parser("demo", help=about, description=about.capitalize() + ".")
    demo.add_arguments(command)
    command.set_defaults(run=demo.run)
    about = "serve recordings that programs send here to any number of viewers"
    command = commands.add_parser("serve", help=about, description=about.capitalize() + ".")
    serve.add_arguments(command)
    command.set_defaults(run=serve.run)
    arguments = parser.parse_args(argv)
    if "run" not in arguments:
        parser.print_help(sys.stderr)
        return 2
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
