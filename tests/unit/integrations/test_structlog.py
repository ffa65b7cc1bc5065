"""The processor of structlog."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.integrations.structlog import RerunProcessor

if TYPE_CHECKING:
    from tests.unit.integrations.recorded import Recorded

structlog: Any = pytest.importorskip("structlog")


def logger_with(*processors: Any) -> Any:
    return structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )


def test_events_become_rows_and_go_on(recorded: Recorded) -> None:
    seen: list[dict[str, Any]] = []

    def render(logger: Any, name: str, event: dict[str, Any]) -> str:
        seen.append(dict(event))
        return str(event["event"])

    logger = logger_with(RerunProcessor(), render).bind(logger="shop.cart", password="enigma")
    logger.warning("sold out", item="lamp", left=0)
    assert seen == [
        {"event": "sold out", "item": "lamp", "left": 0, "logger": "shop.cart", "password": "enigma"}
    ]
    assert recorded.values("logs/shop/cart") == {
        "TextLog:text": "sold out",
        "TextLog:level": "WARN",
        "extra:item": "lamp",
        "extra:left": 0,
        "extra:password": "***",
    }


def test_the_last_processor(recorded: Recorded) -> None:
    assert logger_with(RerunProcessor("events", last=True)).info("done") is None
    assert recorded.values("events")["TextLog:text"] == "done"


def test_levels(recorded: Recorded) -> None:
    logger = logger_with(structlog.stdlib.add_log_level, RerunProcessor(last=True))
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, name)(name)
    levels = [row["level"][0] for row in recorded.rows()]
    assert levels == ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]


def test_exceptions(recorded: Recorded) -> None:
    logger = logger_with(RerunProcessor(last=True))
    error = ValueError("token=enigma")
    try:
        raise error
    except ValueError:
        logger.exception("one")
        logger.error("two", exc_info=sys.exc_info())  # noqa: G201 - the other form
    logger.error("three", exc_info=error)
    for row in recorded.rows():
        assert row["exception_type"] == ["ValueError"]
        assert row["text"][0].endswith("ValueError: token=***")


def test_what_was_formatted_before_is_kept(recorded: Recorded) -> None:
    logger = logger_with(structlog.processors.format_exc_info, RerunProcessor(last=True))
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("failed")
    assert recorded.values()["TextLog:text"].endswith("ValueError: x")


def test_it_never_fails_the_program(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(recorded.rec, "log_nowait", fail)
    logger = logger_with(RerunProcessor(last=True))
    with caplog.at_level(logging.ERROR):
        logger.info("one")
        logger.info("two")
    assert [record.message for record in caplog.records] == [
        "RerunProcessor: events are not recorded: RuntimeError: broken"
    ]


def test_never_recursive(recorded: Recorded) -> None:
    class Chatty:
        def __str__(self) -> str:
            logger.info("inside")
            return "outside"

    logger = logger_with(RerunProcessor(last=True))
    logger.info("one", what=Chatty())
    assert recorded.values()["extra:what"] == "outside"


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "structlog", None)
    RerunProcessor()
    with pytest.raises(ImportError, match=r"aiorerun\[structlog\]"):
        RerunProcessor(last=True)


def test_names_with_single_surrogates(recorded: Recorded) -> None:
    event = {"event": "no file \udcff", "logger": "a\udcff", "k\udcff": "v"}
    RerunProcessor()(None, "info", event)
    (row,) = [each for each in recorded.rows() if each.entity_path.startswith("/logs/")]
    assert row.values["TextLog:text"][0] == r"no file \udcff"
    assert row.values["extra:k\\udcff"][0] == "v"
