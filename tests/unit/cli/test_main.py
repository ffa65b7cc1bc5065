"""The command line as a whole: its help, its exit codes, how commands end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiorerun
from aiorerun.cli import codes, progress
from aiorerun.cli.main import COMMANDS, main
from aiorerun.cli.running import guarded
from aiorerun.cli.tables import table
from aiorerun.codec.errors import RrdError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


def test_help_tells_all_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command.name}\b", text, re.MULTILINE), command.name
    for code in (0, 1, 2, 130, 141, 143):
        assert re.search(rf"^  {code} ", text, re.MULTILINE), code
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = getattr(command, "name")  # noqa: B009
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: aiorerun {name}")
    assert ("exit codes:" in text) == getattr(command, "is_guarded")  # noqa: B009


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert aiorerun.__version__ in capsys.readouterr().out


def test_no_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == codes.USAGE
    assert "to-parquet" in capsys.readouterr().err


def test_asking_for_help_loads_nothing_heavy() -> None:
    code = """if True:
        import sys
        # What measures the coverage of this process may be there already.
        before = {*sys.modules}
        from aiorerun.cli.main import parser
        parser().format_help()
        print(*(sys.modules.keys() - before))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pyarrow", "grpclib", "betterproto2", "h2", "sqlite3", "psutil"}


def raising(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (FileNotFoundError(2, "No such file", "/x"), 1, "aiorerun info: /x: No such file"),
        (OSError("odd"), 1, "odd"),
        (OSError(28, "No space left"), 1, "No space left"),
        (RrdError("damaged"), 1, "damaged"),
        (ValueError("wrong argument"), 2, "wrong argument"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_a_line_and_a_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded("info", raising(error)) == code
    written = capsys.readouterr().err
    assert text in written
    assert written.count("\n") == bool(text)


def test_notes_on_errors_are_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = RrdError("damaged")
    error.add_note("at byte 7 of x")
    guarded("merge", raising(error))
    assert capsys.readouterr().err == "aiorerun merge: damaged; at byte 7 of x\n"


def test_what_nobody_expects_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded("info", raising(ZeroDivisionError()))


def test_a_signal_to_terminate_unwinds() -> None:
    unwound = False

    def run() -> int:
        nonlocal unwound
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            unwound = True
        return 0

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        guarded("info", run)
    assert ended.value.code == codes.TERMINATED
    assert unwound
    assert signal.getsignal(signal.SIGTERM) is before


def test_commands_run_in_other_threads_too() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(guarded("info", lambda: 0)))
    thread.start()
    thread.join(10)
    assert found == [0]


class Terminal:
    """What a terminal is written."""

    encoding = "utf-8"

    def __init__(self, *, is_terminal: bool = True) -> None:
        self.text = ""
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_the_bar() -> None:
    assert progress.bar(0, 100, 1.0) == f"[{'-' * 30}]   0%"
    assert progress.bar(50, 100, 4.0) == f"[{'#' * 15}{'-' * 15}]  50%  4 s left"
    assert progress.bar(200, 100, 4.0).startswith(f"[{'#' * 30}] 100%")
    assert progress.bar(0, 0, 0.0).endswith("0%")


def test_the_bar_is_drawn_after_a_while_and_erased() -> None:
    terminal, now = Terminal(), 0.0
    with progress.shown(terminal, lambda: now) as tell:  # type: ignore[arg-type]
        tell(1, 100)
        assert not terminal.text
        now = 1.0
        tell(10, 100)
        tell(11, 100)
        now = 2.0
        tell(50, 100)
    assert [part.strip("\r") for part in terminal.text.split("\x1b[2K")][1:3] == [
        progress.bar(10, 100, 1.0),
        progress.bar(50, 100, 2.0),
    ]
    assert terminal.text.endswith("\r\x1b[2K")


def test_no_bar_without_a_terminal() -> None:
    terminal, now = Terminal(is_terminal=False), 0.0
    with progress.shown(terminal, lambda: now) as tell:  # type: ignore[arg-type]
        now = 100.0
        tell(1, 2)
    assert not terminal.text


def test_tables() -> None:
    assert (
        table(("name", "rows"), [("a", 1), ("bcdef", 1234)])
        == "  name    rows\n  a          1\n  bcdef  1,234\n"
    )
    assert table(("x",), [], indent="") == "x\n"
