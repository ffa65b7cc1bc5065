"""The recording of one test: kept in memory, and written to a file if the test fails."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

import aiorerun
import aiorerun.sync
from aiorerun.integrations.fields import MAX_MESSAGE, clipped, fields
from aiorerun.integrations.logging import RerunHandler
from aiorerun.integrations.redaction import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

APPLICATION: Final = "pytest"
PREFIX: Final = "test"


class _Twin(aiorerun.AsyncRecordingStream):
    """The asyncio face of a recording of the blocking API: rows go to the same place."""

    # The other face closes it.
    _closes_soon = True

    def __init__(self, recording: aiorerun.sync.RecordingStream) -> None:
        super().__init__(
            recording.get_application_id(),
            recording_id=recording.get_recording_id(),
            send_properties=False,
        )
        self._engine, self._capture = recording._engine, recording._capture


class RecordedTest:
    """Records a test from its setup to its teardown.

    Below ``test``: ``log/<logger>`` has what was logged with Python's ``logging``, ``phase`` the phases as
    states, ``duration/<phase>`` their seconds, ``outcome/<phase>`` how they ended, ``failure`` and ``output``
    texts. What the test logs to the active recording, by either API, is there as it is. What looks like a
    secret is hidden in texts.

    Args:
        name: What the test is called; its recording id.

    Attributes:
        recording: The recording, of the blocking API.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.recording = aiorerun.sync.RecordingStream(APPLICATION, recording_id=name)
        self._twin = _Twin(self.recording)
        self._handler = RerunHandler(f"{PREFIX}/log", recording=self.recording)
        self._failed = False
        self._former: tuple[Any, Any] = (None, None)

    def start(self) -> None:
        """Makes it the global recording of both APIs, and records what is logged."""
        self._former = (
            aiorerun.set_global_data_recording(self._twin),
            aiorerun.sync.set_global_data_recording(self.recording),
        )
        logging.getLogger().addHandler(self._handler)

    def stop(self, path: Path) -> bool:
        """Undoes :meth:`start`; writes the file if the test has failed, removes an older one if not.

        Returns:
            Whether it was written.
        """
        logging.getLogger().removeHandler(self._handler)
        former, former_blocking = self._former
        # The test may have put its own in place, which is its own business.
        if aiorerun.get_global_data_recording() is self._twin:
            aiorerun.set_global_data_recording(former)
        if aiorerun.sync.get_global_data_recording() is self.recording:
            aiorerun.sync.set_global_data_recording(former_blocking)
        if not self._failed or not self.recording.is_enabled():
            path.unlink(missing_ok=True)
            if self.recording._engine.has_sinks:
                # The test has attached one.
                self.recording.close()
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        self.recording.send_recording_name(self.name)
        self.recording.save(path)
        self.recording.close()
        return True

    @contextlib.contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Around a phase of the test."""
        self._log("phase", aiorerun.StateChange(state=name))
        try:
            yield
        finally:
            self._log("phase", aiorerun.StateChange.from_fields(clear_unset=True))

    def add_report(
        self, phase: str, outcome: str, seconds: float, texts: Iterable[tuple[str, str]], *, failed: bool
    ) -> None:
        """Records how a phase ended.

        Args:
            phase: The phase.
            outcome: How it ended.
            seconds: How long it took.
            texts: Titles and texts that go with it: why it failed, what was printed.
            failed: Whether the test has failed with it.
        """
        self._failed = self._failed or failed
        self._log(f"duration/{phase}", aiorerun.Scalars(seconds))
        self._log(f"outcome/{phase}", aiorerun.TextLog(outcome, level="ERROR" if failed else "INFO"))
        if not failed and not self._failed:
            return
        for title, text in texts:
            path = "failure" if title == "failure" else "output"
            row = aiorerun.TextLog(
                DEFAULT.text(clipped(text, MAX_MESSAGE)), level="ERROR" if path == "failure" else "INFO"
            )
            about = fields("TestReport", (("phase", phase), ("title", title)))
            self._log(path, row, *([] if about is None else [about]))

    def _log(self, path: str, row: Any, *more: Any) -> None:
        self.recording.log_nowait(f"{PREFIX}/{path}", row, *more)
