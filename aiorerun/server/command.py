"""The command ``python -m aiorerun serve``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiorerun.net.endpoint import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.server.server import ProxyServer

ABOUT = "pass messages on from programs that log to viewers, native and web, and keep them for late ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    option = parser.add_argument
    option(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="where to listen (default: %(default)s); 0 takes a free port",
    )
    option(
        "--bind",
        default="127.0.0.1",
        metavar="IP",
        help="the address to listen on (default: %(default)s); one that other machines can reach needs a "
        "token or --insecure",
    )
    option(
        "--server-memory-limit",
        default="25%",
        metavar="LIMIT",
        help="what is kept for viewers that come later, such as 4GB (default: 25%%); 0B keeps nothing",
    )
    option("--newest-first", action="store_true", help="send late viewers the newest data first")
    option(
        "--cors-allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="allow web pages of this origin too, * stands for any characters; may be given several times",
    )
    token = parser.add_mutually_exclusive_group()
    token.add_argument(
        "--token-file", type=Path, metavar="FILE", help="ask callers for the token in this file"
    )
    token.add_argument(
        "--token-env", metavar="NAME", help="ask callers for the token in this environment variable"
    )
    option("--tls-cert", type=Path, metavar="FILE", help="serve with TLS: the certificate (PEM)")
    option("--tls-key", type=Path, metavar="FILE", help="serve with TLS: the key of the certificate (PEM)")
    option("--insecure", action="store_true", help="let other machines in without a token")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command until SIGINT or SIGTERM, and returns the exit code."""
    try:
        server = _server(arguments)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"serve: {error}\n")
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_serve(server))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, by default those of the process."""
    parser = argparse.ArgumentParser(prog="python -m aiorerun serve", description=ABOUT.capitalize() + ".")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def _server(arguments: argparse.Namespace) -> ProxyServer:
    """The server that is asked for.

    Raises:
        OSError: The file with the token cannot be read.
        ValueError: Options do not go together, or make no sense.
    """
    from aiorerun.server.server import ProxyServer

    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise ValueError("--tls-cert and --tls-key go together")
    return ProxyServer(
        arguments.bind,
        arguments.port,
        server_memory_limit=arguments.server_memory_limit,
        newest_first=arguments.newest_first,
        cors_allow_origin=arguments.cors_allow_origin,
        token=_token(arguments),
        tls=None if arguments.tls_cert is None else (arguments.tls_cert, arguments.tls_key),
        insecure=arguments.insecure,
    )


def _token(arguments: argparse.Namespace) -> str | None:
    if arguments.token_file is not None:
        path: Path = arguments.token_file
        return path.read_text(encoding="utf-8").strip()
    if arguments.token_env is not None:
        name: str = arguments.token_env
        token = os.environ.get(name)
        if token is None:
            raise ValueError(f"--token-env: the environment has no {name}")
        return token
    return None


async def _serve(server: ProxyServer) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers of the loop; there an interrupt cancels this.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    try:
        await server.start()
    except OSError as error:
        sys.stderr.write(f"serve: {error}\n")
        return 1
    try:
        sys.stdout.write(f"{server.uri}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await server.close()
    return 0
