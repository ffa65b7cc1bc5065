from __future__ import annotations

import _thread
import asyncio
import threading
import warnings
from typing import Any

import pytest

from aiorerun import errors
from aiorerun.errors import (
    FlushTimeoutError,
    QueueFullError,
    RerunWarning,
    SinkOpenError,
    StreamClosedError,
    caller_stacklevel,
    observe_warnings,
    read_switch,
    report,
    set_strict_mode,
    strict_mode,
    strict_scope,
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts as a process does, and leaves no mode and no observer behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    monkeypatch.setattr(errors, "_observers", [])


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (FlushTimeoutError, (TimeoutError, RuntimeError)),
        (SinkOpenError, (OSError, RuntimeError)),
        (StreamClosedError, (RuntimeError,)),
        (QueueFullError, (RuntimeError,)),
        (RerunWarning, (Warning,)),
    ],
)
def test_errors_are_the_built_in_ones_too(error: type[Exception], bases: tuple[type, ...]) -> None:
    assert issubclass(error, bases)
    for base in bases:
        assert isinstance(error("text"), base)
    assert str(error("text")) == "text"


def test_a_sink_error_keeps_number_and_path() -> None:
    error = SinkOpenError(2, "No such directory", "/x/y.rrd")
    assert (error.errno, error.filename) == (2, "/x/y.rrd")


@pytest.mark.parametrize(
    ("text", "expected"),
    [(text, True) for text in ("1", "true", "yes", "on", "TRUE", " On ")]
    + [(text, False) for text in ("0", "false", "no", "off", "False", "OFF\n")],
)
def test_switches(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.setenv("SOME_SWITCH", text)
    assert read_switch("SOME_SWITCH") is expected


def test_a_switch_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_SWITCH", raising=False)
    assert read_switch("SOME_SWITCH") is None


@pytest.mark.parametrize("text", ["", "2", "maybe", "y"])
def test_a_switch_with_another_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_SWITCH", text)
    with pytest.warns(RerunWarning) as caught:
        assert read_switch("SOME_SWITCH") is None
    (warning,) = caught
    assert str(warning.message).startswith(f"SOME_SWITCH={text!r} is not understood and ignored")
    assert warning.filename == __file__


def test_the_mode_is_lenient_at_first() -> None:
    assert strict_mode() is False


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("on", True), ("0", False)])
def test_the_environment_sets_the_first_mode(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: bool
) -> None:
    monkeypatch.setenv("RERUN_STRICT", text)
    assert strict_mode() is expected
    monkeypatch.setenv("RERUN_STRICT", "0" if expected else "1")
    assert strict_mode() is expected  # read once


def test_the_program_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERUN_STRICT", "1")
    set_strict_mode(False)
    assert strict_mode() is False
    set_strict_mode(True)
    assert strict_mode() is True


def test_a_scope_goes_before_the_mode_and_ends() -> None:
    set_strict_mode(True)
    with strict_scope(False):
        assert strict_mode() is False
        with strict_scope(None):
            assert strict_mode() is False
        with strict_scope(True):
            assert strict_mode() is True
        assert strict_mode() is False
    assert strict_mode() is True


def test_a_scope_ends_with_an_error_too() -> None:
    with pytest.raises(KeyError), strict_scope(True):
        raise KeyError
    assert strict_mode() is False


@pytest.mark.anyio
async def test_a_scope_holds_for_its_task_alone() -> None:
    entered, looked = asyncio.Event(), asyncio.Event()

    async def strict() -> bool:
        with strict_scope(True):
            entered.set()
            await looked.wait()
            return strict_mode()

    async def lenient() -> bool:
        await entered.wait()
        mode = strict_mode()
        looked.set()
        return mode

    modes = await asyncio.gather(strict(), lenient())
    assert tuple(modes) == (True, False)


def test_reporting_warns_at_the_line_of_the_caller() -> None:
    with pytest.warns(RerunWarning) as caught:
        report("Points3D", ValueError("no such color"))
    (warning,) = caught
    assert str(warning.message) == "Points3D: ValueError(no such color)"
    assert warning.filename == __file__


def test_reporting_raises_in_strict_mode() -> None:
    error = ValueError("no such color")
    set_strict_mode(True)
    with pytest.raises(ValueError, match="no such color") as caught:
        report("Points3D", error)
    assert caught.value is error


def test_the_argument_goes_before_the_mode() -> None:
    set_strict_mode(True)
    with pytest.warns(RerunWarning):
        report("log", ValueError("x"), strict=False)
    set_strict_mode(False)
    with pytest.raises(ValueError, match="x"):
        report("log", ValueError("x"), strict=True)
    with pytest.raises(ValueError, match="x"), strict_scope(True):
        report("log", ValueError("x"))


def test_observers_get_the_text() -> None:
    told: list[tuple[str, Any]] = []
    observe_warnings(lambda text, recording: told.append((text, recording)))
    with pytest.warns(RerunWarning):
        report("log", TypeError("x"))
    with pytest.warns(RerunWarning):
        report("log", TypeError("x"), recording="that one")
    assert told == [("log: TypeError(x)", None), ("log: TypeError(x)", "that one")]
    with pytest.raises(TypeError):
        report("log", TypeError("y"), strict=True)
    assert len(told) == 2


def test_an_observer_that_is_wrong_itself_is_not_reported() -> None:
    texts: list[str] = []

    def careless(text: str, recording: Any) -> None:
        texts.append(text)
        report("observer", ValueError("again"))

    observe_warnings(careless)
    with pytest.warns(RerunWarning) as caught:
        report("log", TypeError("x"))
    assert len(caught) == 1
    assert texts == ["log: TypeError(x)"]


def test_reporting_goes_on_after_a_warning_that_was_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RerunWarning):
            report("log", TypeError("x"))
    with pytest.warns(RerunWarning):
        report("log", TypeError("x"))


def as_if_in_the_package(source: str, **names: Any) -> dict[str, Any]:
    """Runs source code that looks like a module of the package."""
    exec(compile(source, errors._PACKAGE + "some/module.py", "exec"), names)
    return names


def test_all_frames_of_the_package_are_skipped() -> None:
    names = as_if_in_the_package(
        "def inner(): report('log', ValueError('x'))\ndef outer(): inner()\n", report=report
    )
    with pytest.warns(RerunWarning) as caught:
        names["outer"]()
    assert caught[0].filename == __file__


def test_the_level_counts_from_the_caller() -> None:
    assert caller_stacklevel() == 1
    names = as_if_in_the_package(
        "def level(): return caller_stacklevel()\ndef above(): return level()\n",
        caller_stacklevel=caller_stacklevel,
    )
    assert names["level"]() == 2
    assert names["above"]() == 3


def test_a_program_that_is_all_package_has_a_level_too() -> None:
    """As with a thread whose target is of the package, which ends in the standard library."""
    names = as_if_in_the_package(
        "def target(out): out.append(caller_stacklevel())\n", caller_stacklevel=caller_stacklevel
    )
    levels: list[int] = []
    done = threading.Lock()
    done.acquire()

    def finish(out: list[int]) -> None:
        names["target"](out)
        done.release()

    finish.__code__ = finish.__code__.replace(co_filename=errors._PACKAGE + "some/module.py")
    _thread.start_new_thread(finish, (levels,))
    assert done.acquire(timeout=10)
    assert levels == [2]
