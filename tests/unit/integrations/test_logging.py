"""The handler that keeps extra fields, exceptions and trace ids."""

from __future__ import annotations

import logging
import logging.config
import threading
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun
from aiorerun.integrations.fields import MAX_MESSAGE
from aiorerun.integrations.logging import RerunHandler
from aiorerun.integrations.redaction import Redactor
from aiorerun.testing import CaptureSink

if TYPE_CHECKING:
    from tests.unit.integrations.recorded import Recorded


def logger_with(handler: logging.Handler, name: str = "shop.cart") -> logging.Logger:
    """A logger that belongs to no hierarchy."""
    logger = logging.Logger(name, logging.DEBUG)  # noqa: LOG001
    logger.addHandler(handler)
    return logger


def test_names_levels_and_sources(recorded: Recorded) -> None:
    logger = logger_with(RerunHandler())
    logger.warning("%d left", 3)
    values = recorded.values("logs/shop/cart")
    assert (values["TextLog:text"], values["TextLog:level"]) == ("3 left", "WARN")
    assert values["LogRecord:source"].startswith("test_logging.py:")
    assert values["LogRecord:function"] == "test_names_levels_and_sources"
    assert not [name for name in values if name.startswith("extra:")]


@pytest.mark.parametrize(
    ("prefix", "name", "path"), [("a/b", "x.y", "a/b/x/y"), (None, "root", "root"), ("l", "a b", r"l/a\ b")]
)
def test_paths(recorded: Recorded, prefix: str | None, name: str, path: str) -> None:
    logger_with(RerunHandler(prefix), name).info("here")
    assert recorded.values(path)["TextLog:text"] == "here"


def test_extra_fields_keep_their_kinds(recorded: Recorded) -> None:
    logger = logger_with(RerunHandler())
    logger.info(
        "one", extra={"user": "ada", "tries": 3, "share": 0.5, "new": True, "parts": [1, "b"], "none": None}
    )
    values = recorded.values()
    assert {name: value for name, value in values.items() if name.startswith("extra:")} == {
        "extra:user": "ada",
        "extra:tries": 3,
        "extra:share": 0.5,
        "extra:new": True,
        "extra:parts": '[1, "b"]',
    }


def test_a_field_of_another_kind_has_another_name(recorded: Recorded) -> None:
    aiorerun.set_strict_mode(True)
    try:
        logger = logger_with(RerunHandler())
        for value in (1, "two", 3.5, 4, 1 << 70):
            logger.info("x", extra={"changing_field": value})
    finally:
        aiorerun.set_strict_mode(False)
    names = [
        (name, values[0])
        for row in recorded.rows()
        for name, values in row.values.items()
        if name.startswith("extra:")
    ]
    assert names == [
        ("extra:changing_field", 1),
        ("extra:changing_field_text", "two"),
        ("extra:changing_field_float", 3.5),
        ("extra:changing_field", 4),
        ("extra:changing_field_text", str(1 << 70)),
    ]


def test_only_some_extra_fields(recorded: Recorded) -> None:
    logger_with(RerunHandler(extra_fields=["user"])).info("one", extra={"user": "ada", "more": 1})
    logger_with(RerunHandler(extra_fields=False)).info("two", extra={"user": "ada"})
    names = [[name for name in row.values if name.startswith("extra:")] for row in recorded.rows()]
    assert names == [["extra:user"], []]


def test_exceptions(recorded: Recorded) -> None:
    logger = logger_with(RerunHandler())
    try:
        raise KeyError("missing")
    except KeyError:
        logger.exception("failed")
    values = recorded.values()
    text = values["TextLog:text"]
    assert text.startswith("failed\nTraceback")
    assert text.endswith("KeyError: 'missing'")
    assert values["LogRecord:exception_type"] == "KeyError"


def test_a_formatter_makes_the_text(recorded: Recorded) -> None:
    handler = RerunHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger_with(handler).info("text")
    assert recorded.values()["TextLog:text"] == "shop.cart: text"


def test_secrets_are_hidden(recorded: Recorded) -> None:
    logger = logger_with(RerunHandler())
    logger.info(
        "login with password=%s", "enigma", extra={"api_key": "enigma", "request": {"cookie": "enigma"}}
    )
    try:
        raise ValueError("https://ada:enigma@example.org/")
    except ValueError:
        logger.exception("failed")
    assert "enigma" not in repr([row.values for row in recorded.rows()])
    logger_with(RerunHandler(redactor=Redactor(enabled=False))).info("password=enigma")
    assert "enigma" in repr([row.values for row in recorded.rows()])


def test_long_messages_are_cut_off(recorded: Recorded) -> None:
    logger_with(RerunHandler()).info("x" * 10_000_000, extra={"long": "y" * 10_000_000})
    values = recorded.values()
    assert len(values["TextLog:text"]) == MAX_MESSAGE
    assert len(values["extra:long"]) < MAX_MESSAGE


def test_never_recursive(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = RerunHandler()
    logger = logger_with(handler)
    logging.getLogger("aiorerun").addHandler(handler)
    try:
        handler.handle(logging.LogRecord("aiorerun.x", logging.ERROR, "x.py", 1, "own", None, None))

        class Chatty:
            def __str__(self) -> str:
                logger.info("inside")
                return "outside"

        logger.info("%s", Chatty())
        # An error is told by the handler itself, not by logging again.
        monkeypatch.setattr(handler, "handleError", lambda record: logger.info("again"))
        monkeypatch.setattr(recorded.rec, "log_nowait", pytest.fail)
        logger.info("fails")
    finally:
        logging.getLogger("aiorerun").removeHandler(handler)
        monkeypatch.undo()
    assert recorded.values()["TextLog:text"] == "outside"


def test_dict_config(recorded: Recorded) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "rerun": {
                    "class": "aiorerun.integrations.logging.RerunHandler",
                    "path_prefix": "configured",
                    "level": "INFO",
                    "extra_fields": ["user"],
                }
            },
            "loggers": {"shop.tests": {"handlers": ["rerun"], "level": "DEBUG", "propagate": False}},
        }
    )
    logger = logging.getLogger("shop.tests")
    try:
        logger.debug("too little")
        logger.info("enough", extra={"user": "ada"})
    finally:
        logger.handlers.clear()
    values = recorded.values("configured/shop/tests")
    assert (values["TextLog:text"], values["extra:user"]) == ("enough", "ada")


def test_threads_have_names(recorded: Recorded) -> None:
    logger = logger_with(RerunHandler())
    thread = threading.Thread(target=logger.info, args=("there",), name="worker 7")
    thread.start()
    thread.join(10)
    assert recorded.values()["LogRecord:thread"] == "worker 7"


def test_without_a_recording_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = RerunHandler()
    monkeypatch.setattr(handler, "handleError", pytest.fail)
    logger_with(handler).warning("nobody listens")


async def test_the_asyncio_api_is_asked_first() -> None:
    logger = logger_with(RerunHandler())
    sink = CaptureSink()
    async with aiorerun.AsyncRecordingStream("app", send_properties=False) as rec:
        await rec.set_sinks(sink)
        rec.set_time("step", sequence=7)
        logger.info("in a task")
        (row,) = await sink.rows("logs/shop/cart")
    assert row.times == {"step": 7}


async def test_over_the_limit_rows_are_refused_and_counted() -> None:
    rec = aiorerun.AsyncRecordingStream("app", send_properties=False)
    logger = logger_with(RerunHandler(recording=rec))
    limit = rec.limit("logs/**", hz=1, latest_wins=False)
    for number in range(10):
        logger.info("%d", number)
    assert rec.stats().reasons == {"rate limit: logs/**": 9}
    limit.remove()


def test_trace_ids(recorded: Recorded) -> None:
    trace_sdk: Any = pytest.importorskip("opentelemetry.sdk.trace")
    tracer = trace_sdk.TracerProvider().get_tracer("test")
    logger = logger_with(RerunHandler())
    with tracer.start_as_current_span("span") as span:
        logger.info("inside")
    logger.info("outside")
    inside, outside = recorded.rows()
    assert inside["trace_id"] == [format(span.get_span_context().trace_id, "032x")]
    assert inside["span_id"] == [format(span.get_span_context().span_id, "016x")]
    assert not [name for name in outside.values if name.endswith("_id")]


def test_texts_and_names_with_single_surrogates(recorded: Recorded) -> None:
    """As names of files have them that are no UTF-8."""
    logger = logger_with(RerunHandler(), "shop.\ud800")
    logger.warning("no file \udcff", extra={"path\udcff": "a\udcff", "all": ["\udcff"]})
    (row,) = [each for each in recorded.rows() if each.entity_path.startswith("/logs/shop/")]
    values = {name: value[0] for name, value in row.values.items()}
    assert values["TextLog:text"] == r"no file \udcff"
    assert values["extra:path\\udcff"] == r"a\udcff"
    assert values["extra:all"] == r'["\udcff"]'
    assert "ud800" in row.entity_path
