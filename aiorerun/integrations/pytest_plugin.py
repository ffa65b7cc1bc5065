"""A plugin of pytest: a recording of each test that fails.

It is off unless there is a directory: ``pytest --rerun-dir=recordings``, or ``rerun_dir`` in the
configuration. Nothing of the package is imported before that.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from aiorerun.integrations.recorded_test import RecordedTest
    from aiorerun.sync import RecordingStream

NAME: Final = "aiorerun-recorder"

_NOT_PLAIN: Final = re.compile(r"[^0-9A-Za-z_.\-]+")
_MAX_NAME: Final = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares ``--rerun-dir`` and ``rerun_dir``."""
    text = "the directory in which each failed test leaves a Rerun recording; passed tests leave nothing"
    parser.getgroup("rerun").addoption("--rerun-dir", metavar="DIR", help=text)
    parser.addini("rerun_dir", text)


def pytest_configure(config: pytest.Config) -> None:
    """Starts to record, if there is a directory."""
    given = config.getoption("rerun_dir") or config.getini("rerun_dir")
    if given:
        folder = Path(given)
        if not folder.is_absolute():
            on_command_line = config.getoption("rerun_dir")
            folder = (config.invocation_params.dir if on_command_line else config.rootpath) / folder
        config.pluginmanager.register(_Recorder(folder), NAME)


@pytest.fixture
def rerun_recording(request: pytest.FixtureRequest) -> RecordingStream:
    """The recording of the running test, of the blocking API; one that is disabled if tests are not recorded.

    What the test logs to the active recording goes there too, by either API.
    """
    recorder = request.config.pluginmanager.get_plugin(NAME)
    current: RecordedTest | None = None if recorder is None else recorder.current
    if current is not None:
        return current.recording
    from aiorerun.sync import RecordingStream

    return RecordingStream("pytest", default_enabled=False)


class _Recorder:
    """Records tests into a directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[str] = []
        self.current: RecordedTest | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        from aiorerun.integrations.recorded_test import RecordedTest

        current = self.current = RecordedTest(item.nodeid)
        current.start()
        try:
            return (yield)
        finally:
            self.current = None
            path = self._folder / file_name(item.nodeid)
            try:
                if current.stop(path):
                    self._written.append(f"rerun {path}")
            except (OSError, RuntimeError) as error:
                # The run is about the tests, not about their recordings.
                self._written.append(f"{path}: not written: {error}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        with self._phase("setup"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        with self._phase("call"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        with self._phase("teardown"):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self.current is not None:
            self.current.add_report(
                report.when, report.outcome, report.duration, _texts(report), failed=report.failed
            )
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says where the recordings are."""
        if self._written:
            terminalreporter.section("recordings of failed tests")
            for line in self._written:
                terminalreporter.line(line)

    def _phase(self, name: str) -> Any:
        assert self.current is not None
        return self.current.phase(name)


def _texts(report: pytest.TestReport) -> Iterator[tuple[str, str]]:
    if report.failed:
        yield "failure", report.longreprtext
    for title, text in report.sections:
        # What was logged is recorded already, line by line.
        if not title.startswith("Captured log"):
            yield title, text


def file_name(nodeid: str) -> str:
    """The name of a test's file: its id as far as files can be called so, and a digest of all of it."""
    plain = _NOT_PLAIN.sub("_", nodeid.replace("::", ".")).strip("_.")[-_MAX_NAME:]
    return f"{plain}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}.rrd"
