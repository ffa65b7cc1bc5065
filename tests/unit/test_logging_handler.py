"""Python's logging in a recording: paths, levels, threads, and that nothing feeds itself."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun
import aiorerun.sync
from aiorerun import errors
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FACES = {"asyncio": aiorerun, "blocking": aiorerun.sync}


def new_logger() -> logging.Logger:
    """A logger that belongs to no hierarchy, so that nothing else handles its records."""
    return logging.Logger("program", logging.DEBUG)  # noqa: LOG001


class Logged:
    """A recording, a logger that logs to it, and what arrives."""

    def __init__(self, face: ModuleType, **options: Any) -> None:
        self.face = face
        self.logger = new_logger()
        self.rec = aiorerun.sync.RecordingStream("app", recording_id="log", send_properties=False, **options)
        self.memory = self.rec.memory_recording()

    def attach(self, **options: Any) -> logging.Handler:
        handler: logging.Handler = aiorerun.sync.LoggingHandler(**options)
        self.logger.addHandler(handler)
        return handler

    def rows(self) -> list[tuple[str, str, str]]:
        rows = sorted(rows_of(self.memory.drain_as_bytes()), key=lambda row: row.row_id)
        return [(row.path, row.values["TextLog:level"][0], row.values["TextLog:text"][0]) for row in rows]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    monkeypatch.setattr(errors._Mode, "strict", None)
    each = Logged(aiorerun.sync)
    aiorerun.sync.set_global_data_recording(each.rec)
    yield each
    aiorerun.sync.set_global_data_recording(None)
    each.rec.disconnect()


def test_levels_and_paths(logged: Logged) -> None:
    logged.attach(path_prefix="logs/here")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logged.logger.log(level, "level %d", level)
    logging.addLevelName(15, "CHATTY")
    logged.logger.log(15, "in between")
    path = "/logs/here/test_logging_handler"
    assert logged.rows() == [
        (path, "DEBUG", "level 10"),
        (path, "INFO", "level 20"),
        (path, "WARN", "level 30"),
        (path, "ERROR", "level 40"),
        (path, "CRITICAL", "level 50"),
        (path, "CHATTY", "in between"),
    ]


def test_dots_become_levels_and_there_need_be_no_prefix(logged: Logged) -> None:
    handler = logged.attach()
    record = logging.LogRecord("x", logging.INFO, "a/b.c.py", 1, "text", None, None)
    assert record.module == "b.c"
    handler.handle(record)
    assert logged.rows() == [("/b/c", "INFO", "text")]


def test_records_of_aiorerun_are_left_out(logged: Logged) -> None:
    handler = logged.attach()
    for name in ("aiorerun", "aiorerun.sinks"):
        handler.handle(logging.LogRecord(name, logging.ERROR, "x.py", 1, "own", None, None))
    handler.handle(logging.LogRecord("aiorerunner", logging.ERROR, "x.py", 1, "not own", None, None))
    assert [text for _, _, text in logged.rows()] == ["not own"]


def test_what_is_logged_while_logging_is_left_out(logged: Logged) -> None:
    logged.attach()

    class Chatty:
        def __str__(self) -> str:
            logged.logger.info("inside")
            return "outside"

    logged.logger.info("%s", Chatty())
    assert [text for _, _, text in logged.rows()] == ["outside"]


def test_an_error_is_handled_as_handlers_do(logged: Logged, capsys: pytest.CaptureFixture[str]) -> None:
    logged.attach()
    logged.logger.info("%d", "not a number")
    assert "--- Logging error ---" in capsys.readouterr().err
    logged.logger.info("goes on")
    assert [text for _, _, text in logged.rows()] == ["goes on"]


def test_an_error_in_strict_mode_is_handled_too(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logged.attach(path_prefix="\udc80")
    seen: list[logging.LogRecord] = []
    monkeypatch.setattr(handler, "handleError", seen.append)
    aiorerun.sync.set_strict_mode(True)
    logged.logger.info("bad path")
    assert [record.getMessage() for record in seen] == ["bad path"]


def test_captured_warnings_do_not_feed_themselves(logged: Logged) -> None:
    handler = aiorerun.sync.LoggingHandler("\udc80")
    captured = logging.getLogger("py.warnings")
    captured.addHandler(handler)
    captured.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("first", UserWarning, stacklevel=1)
    finally:
        logging.captureWarnings(False)
        captured.removeHandler(handler)
        captured.propagate = True
    # The path is wrong: that gives one warning, which is not logged to the same wrong path again.
    (row,) = logged.rows()
    assert row[0] == "/__warnings"


def test_without_a_recording_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = new_logger()
    for face in FACES.values():
        handler = face.LoggingHandler()
        monkeypatch.setattr(handler, "handleError", pytest.fail)
        logger.addHandler(handler)
    logger.warning("nobody listens")


def test_threads_at_the_same_time(logged: Logged) -> None:
    logged.attach(path_prefix="p")
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(10)
        for step in range(200):
            logged.logger.info("%d %d", number, step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [text for _, _, text in logged.rows()]
    assert sorted(texts) == sorted(f"{number} {step}" for number in range(8) for step in range(200))
    for number in range(8):
        own = [text for text in texts if text.startswith(f"{number} ")]
        assert own == [f"{number} {step}" for step in range(200)]


async def test_the_asyncio_api_logs_to_the_recording_of_the_task() -> None:
    logger = new_logger()
    logger.addHandler(aiorerun.LoggingHandler("task"))
    async with aiorerun.AsyncRecordingStream("app", recording_id="task", send_properties=False) as rec:
        memory = await rec.memory_recording()
        logger.warning("in a task")
        (row,) = rows_of(await memory.drain_as_bytes())
    assert (row.path, row.values["TextLog:text"]) == ("/task/test_logging_handler", ["in a task"])


async def test_over_the_limit_records_are_refused_and_nobody_waits() -> None:
    class Stuck:
        async def open(self, context: Any) -> None: ...
        async def write(self, messages: Any) -> None:
            await free.wait()

        async def flush(self) -> None: ...
        async def aclose(self) -> None: ...

    free = asyncio.Event()
    logger = new_logger()
    logger.addHandler(aiorerun.LoggingHandler())
    rec = aiorerun.AsyncRecordingStream(
        "app", recording_id="full", send_properties=False, max_bytes_in_flight=1 << 16
    )
    with rec:
        await rec.set_sinks(Stuck())

        def log_much() -> None:
            for number in range(3000):
                logger.info("%d %s", number, "x" * 100)

        with pytest.warns(aiorerun.RerunWarning, match="refused"):
            log_much()
    assert rec.stats().rows_refused > 0
    free.set()
    await rec.disconnect()
