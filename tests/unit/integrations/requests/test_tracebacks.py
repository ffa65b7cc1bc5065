"""Tracebacks tell what Python tells, without reading files."""

from __future__ import annotations

import linecache
import traceback

import pytest

from aiorerun.integrations.requests.tracebacks import (
    MAX_CHARACTERS,
    MAX_EXCEPTIONS,
    MAX_FRAMES,
    Traceback,
    read_lines,
    shortened,
)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def raised_in_handler(first: Exception, second: Exception) -> BaseException:
    try:
        try:
            raise first
        except Exception:
            raise second  # noqa: B904 - that is the case
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        raised(ValueError("plain")),
        raised(ValueError("several\nlines")),
        raised(RuntimeError("with cause"), raised(KeyError("cause"))),
        raised_in_handler(KeyError("first"), OSError(2, "second")),
        raised(SystemExit(3)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_texts_are_those_of_python(error: BaseException) -> None:
    trace = Traceback(error)
    read_lines(trace.unread)

    expected = "".join(traceback.format_exception(error))
    # Marks under the places in a line are left out: they need the source once more.
    lines = [line for line in expected.splitlines() if set(line.strip()) - set("^~") or not line.strip()]
    assert trace.text().splitlines() == lines


def test_lines_that_were_not_read_are_left_out() -> None:
    error = raised(ValueError("text"))
    linecache.clearcache()
    trace = Traceback(error)

    assert trace.unread == [__file__]
    assert "raise error" not in trace.text()
    assert 'test_tracebacks.py", line ' in trace.text()
    read_lines(trace.unread)
    assert trace.unread == []
    assert "raise error" in trace.text()


def test_files_that_cannot_be_read_are_not_tried_again() -> None:
    code = compile("raise ValueError('made up')", "/nowhere/made_up.py", "exec")
    with pytest.raises(ValueError, match="made up") as caught:
        exec(code)
    trace = Traceback(caught.value)
    read_lines(trace.unread)

    assert "/nowhere/made_up.py" not in trace.unread
    assert 'File "/nowhere/made_up.py", line 1' in trace.text()


def test_groups_tell_their_members() -> None:
    inner = BaseExceptionGroup("inner", [raised(KeyError("two"))])
    group = raised(BaseExceptionGroup("outer", [raised(ValueError("one")), inner]))
    text = Traceback(group).text()

    assert text.index("outer (2 sub-exceptions)") < text.index("1 of 2") < text.index("ValueError: one")
    assert text.index("2 of 2") < text.index("1 of 1 in ExceptionGroup") < text.index("KeyError: 'two'")


def test_summary_is_one_line() -> None:
    assert Traceback(raised(ValueError("several\n  lines"))).summary == "ValueError: several lines"


def test_chains_and_recursion_have_an_end() -> None:
    error: BaseException = ValueError(0)
    for number in range(100):
        error = raised(ValueError(number), error)
    assert Traceback(error).text().count("Traceback (most") == MAX_EXCEPTIONS

    def deeper(depth: int) -> None:
        if depth:
            deeper(depth - 1)
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        deeper(500)
    assert Traceback(caught.value).text().count(".deeper") <= MAX_FRAMES


def test_circles_have_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert Traceback(first).text().count("ValueError") == 2


def test_long_texts_lose_their_middle() -> None:
    text = Traceback(ValueError("a" * 10_000_000 + "end")).text()

    assert len(text) < 2 * MAX_CHARACTERS + 100
    assert text.rstrip().endswith("end")
    assert shortened("x" * 10, 4) == "xx\n  … 6 characters left out …\nxx"
