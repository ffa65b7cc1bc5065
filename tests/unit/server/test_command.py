"""The command ``python -m aiorerun serve``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aiorerun.server.command import main

if TYPE_CHECKING:
    from pathlib import Path

CODE = "import sys; from aiorerun.server.command import main; sys.exit(main())"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", CODE, "--port", "0", "--token-file", str(token)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        uri = process.stdout.readline().strip()
        assert uri.startswith("rerun+http://127.0.0.1:")
        port = int(uri.removesuffix("/proxy").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=10)
        assert (process.returncode, stdout, stderr) == (0, "", "")
    finally:
        process.kill()
        process.wait()


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert "cannot listen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bind", "0.0.0.0"], "insecure"),
        (["--server-memory-limit", "lots"], "server_memory_limit"),
        (["--tls-cert", "x"], "--tls-key"),
        (["--token-file", "/does/not/exist"], "exist"),
        (["--token-env", "NOT_THERE"], "NOT_THERE"),
        (["--port", "70000"], "port"),
    ],
)
def test_options_that_make_no_sense(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.pop("NOT_THERE", None)
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_certificates_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--tls-cert", "/no/cert", "--tls-key", "/no/key"]) == 1
    assert capsys.readouterr().err
