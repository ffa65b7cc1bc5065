"""Viewers in notebooks, of both APIs: what the widget is sent, byte for byte."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import json
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun import QueuedSink
from aiorerun.testing import CaptureSink
from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.widget.standin import StandIns, StandInWidget

FACES: Final = {"asyncio": rr, "blocking": aiorerun.sync}


async def call(function: Any, *args: Any, **options: Any) -> Any:
    """Calls a function of either API, a blocking one in a thread of its own."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **options)
    return await asyncio.to_thread(function, *args, **options)


async def made(face: Any, **options: Any) -> Any:
    """A viewer of either API; the blocking one waits."""
    if face is rr:
        return rr.notebook.Viewer(**options)
    return await asyncio.to_thread(face.notebook.Viewer, **options)


async def settled(viewer: Any) -> None:
    """Waits until the viewer has passed on what it was told."""
    if isinstance(viewer, rr.notebook.Viewer):
        await viewer._in_order.start(lambda: asyncio.sleep(0))


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    face = FACES[request.param]
    yield face
    face.set_global_data_recording(None)
    rr.notebook.set_default_size(width=640, height=480)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no browser here."""
    monkeypatch.setattr("aiorerun.widget.ready.READY_SECS", 0.05)


def values_in(widget: StandInWidget, path: str) -> list[float]:
    return [value for data in widget.recordings for value in scalars_of(data, path)]


# --- control messages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("set_active_recording", {"recording_id": "r"}, '{"type": "recording_id", "recording_id": "r"}'),
        ("open_url", {"url": "http://x/a.rrd"}, '{"type": "open_url", "url": "http://x/a.rrd"}'),
        ("close_url", {"url": "http://x/a.rrd"}, '{"type": "close_url", "url": "http://x/a.rrd"}'),
        (
            "set_credentials",
            {"access_token": "t", "email": "a@b.c"},
            '{"type": "set_credentials", "access_token": "t", "email": "a@b.c"}',
        ),
        (
            "set_time_ctrl",
            {"sequence": 2**60 + 1, "timeline": "frame", "play": True},
            (
                '{"type": "time_ctrl", "timeline": "frame", "sequence": "1152921504606846977", '
                '"duration_nanos": null, "timestamp_nanos": null, "play": true}'
            ),
        ),
        (
            "set_time_ctrl",
            {"duration": dt.timedelta(seconds=1.5)},
            (
                '{"type": "time_ctrl", "timeline": null, "sequence": null, '
                '"duration_nanos": "1500000000", "timestamp_nanos": null, "play": false}'
            ),
        ),
        (
            "set_time_ctrl",
            {"timestamp": np.datetime64(1_700_000_000_123_456_789, "ns"), "timeline": "t"},
            (
                '{"type": "time_ctrl", "timeline": "t", "sequence": null, '
                '"duration_nanos": null, "timestamp_nanos": "1700000000123456789", "play": false}'
            ),
        ),
        (
            "set_time_ctrl",
            {"play": True},
            (
                '{"type": "time_ctrl", "timeline": null, "sequence": null, '
                '"duration_nanos": null, "timestamp_nanos": null, "play": true}'
            ),
        ),
    ],
)
async def test_control(
    face: Any, widgets: StandIns, name: str, arguments: dict[str, Any], message: str
) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    getattr(viewer, name)(**arguments)
    assert widgets.last.sent == []
    widgets.last.tell("ready")
    assert viewer.is_ready
    assert widgets.last.sent == [(message, [])]
    getattr(viewer, name)(**arguments)
    assert widgets.last.sent == [(message, [])] * 2


def test_more_than_one_time(face: Any, widgets: StandIns) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    with pytest.raises(ValueError, match="at most one"):
        viewer.set_time_ctrl(sequence=1, duration=2)
    with pytest.raises(TypeError, match="sequence"):
        viewer.set_time_ctrl(sequence=1.5)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_active_recording", {"recording_id": 3}),
        ("open_url", {"url": None}),
        ("close_url", {"url": b"x"}),
        ("set_time_ctrl", {"timeline": 3}),
        ("set_credentials", {"access_token": ["secret"], "email": "x"}),
        ("set_credentials", {"access_token": "secret", "email": None}),
    ],
)
def test_texts_are_texts(face: Any, widgets: StandIns, name: str, arguments: dict[str, Any]) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    with pytest.raises(TypeError, match="must be a str") as raised:
        getattr(viewer, name)(**arguments)
    assert "secret" not in str(raised.value)


def test_panels(face: Any, widgets: StandIns) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    viewer.update_panels(top="hidden", time="collapsed")
    viewer.update_panels(time="default", blueprint="expanded")
    viewer.update_panels()
    assert widgets.last._panel_states == {"top": "hidden", "blueprint": "expanded"}
    with pytest.raises(ValueError, match="selection='closed'.*'hidden'"):
        viewer.update_panels(selection="closed", top="default")
    assert widgets.last._panel_states == {"top": "hidden", "blueprint": "expanded"}


# --- how it is made --------------------------------------------------------------------------------


def test_options(face: Any, widgets: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    face.notebook.Viewer()
    plain = {"width": 640, "height": 480, "url": None, "fallback_token": None, "theme": None}
    assert widgets.last.options == plain
    monkeypatch.setenv("REDAP_TOKEN", "secret")
    viewer = face.notebook.Viewer(width="auto", height=300, url="http://x/a.rrd", theme="dark")
    assert widgets.last.options == {
        "width": "auto", "height": 300, "url": "http://x/a.rrd", "fallback_token": "secret", "theme": "dark",
    }  # fmt: skip
    assert repr(viewer) == "Viewer(not ready)"


def test_the_default_size(face: Any, widgets: StandIns) -> None:
    face.notebook.set_default_size(width=100, height=None)
    face.notebook.Viewer()
    assert (widgets.last.options["width"], widgets.last.options["height"]) == (100, 480)
    with pytest.raises(ValueError, match="height=0"):
        face.notebook.set_default_size(width=50, height=0)
    with pytest.raises(TypeError, match="width"):
        face.notebook.set_default_size(width="auto", height=None)
    face.notebook.Viewer(height=20)
    assert (widgets.last.options["width"], widgets.last.options["height"]) == (100, 20)


@pytest.mark.parametrize(
    ("options", "error"),
    [({"width": 0}, ValueError), ({"height": "wide"}, TypeError), ({"theme": "pink"}, ValueError)],
    ids=str,
)
def test_wrong_options(face: Any, widgets: StandIns, options: dict[str, Any], error: type[Exception]) -> None:
    [name] = options
    with pytest.raises(error, match=name):
        face.notebook.Viewer(**options)


def test_a_blueprint_needs_a_recording(face: Any, widgets: StandIns) -> None:
    with pytest.raises(ValueError, match="call init"):
        face.notebook.Viewer(blueprint=face.blueprint.Spatial2DView())
    assert widgets.made == []


def test_the_asyncio_one_needs_a_loop_for_a_recording(widgets: StandIns) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        rr.notebook.Viewer(recording=rr.AsyncRecordingStream("app", recording_id="no_loop"))


# --- recordings ------------------------------------------------------------------------------------


async def test_a_viewer_takes_the_active_recording(face: Any, widgets: StandIns) -> None:
    rec = face.RecordingStream("app", recording_id="active", make_default=True)
    await call(rec.log, "a", rr.Scalars(1.0))
    viewer = await made(face)
    viewer.set_active_recording(recording_id="active")
    await settled(viewer)
    widgets.last.tell("ready")
    # What was logged before comes before what it is told.
    assert values_in(widgets.last, "/a") == [1.0]
    assert widgets.last.sent[-1][0] == '{"type": "recording_id", "recording_id": "active"}'
    await call(rec.log, "a", rr.Scalars(2.0))
    await call(rec.flush)
    assert values_in(widgets.last, "/a") == [1.0, 2.0]
    await call(rec.disconnect)


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        ({"url": "http://x/a.rrd"}, False),
        ({"url": "http://x/a.rrd", "use_global_recording": True}, True),
        ({"use_global_recording": False}, False),
    ],
)
async def test_when_the_active_recording_is_taken(
    face: Any, widgets: StandIns, options: dict[str, Any], takes: bool
) -> None:
    rec = face.RecordingStream("app", recording_id="maybe", make_default=True)
    viewer = await made(face, **options)
    await settled(viewer)
    assert bool(rec.stats().sinks) == takes
    await call(rec.disconnect)


async def test_the_cut_is_where_the_viewer_is_made(widgets: StandIns) -> None:
    rec, capture = rr.AsyncRecordingStream("app", recording_id="cut"), CaptureSink()
    await rec.set_sinks(capture)
    rec.log_nowait("a", rr.Scalars(1.0))
    viewer = rr.notebook.Viewer(recording=rec)
    rec.log_nowait("a", rr.Scalars(2.0))
    await settled(viewer)
    widgets.last.tell("ready")
    await rec.flush()
    assert [row["scalars"] for row in await capture.rows("a")] == [[1.0]]
    assert values_in(widgets.last, "/a") == [2.0]
    await rec.disconnect()


async def test_recordings_side_by_side(face: Any, widgets: StandIns) -> None:
    viewer = await made(face)
    with pytest.raises(ValueError, match="no recording is active"):
        await call(viewer.add_recording)
    first = face.RecordingStream("app", recording_id="first", make_default=True)
    second = face.RecordingStream("app", recording_id="second")
    await call(viewer.add_recording)
    await call(viewer.add_recording, second, face.blueprint.Spatial2DView(origin="here"))
    await call(first.log, "a", rr.Scalars(1.0))
    await call(second.log, "a", rr.Scalars(2.0))
    await call(first.flush)
    await call(second.flush)
    widgets.last.tell("ready")
    rows = [row for data in widgets.last.recordings for row in rows_of(data)]
    assert {row.recording for row in rows if row.path == "/a"} == {"first", "second"}
    assert any("here" in str(row.values) for row in rows)
    await call(first.disconnect)
    await call(second.disconnect)


async def test_a_viewer_and_a_file(face: Any, widgets: StandIns, tmp_path: Any) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    widgets.last.tell("ready")
    rec = face.RecordingStream("app", recording_id="both")
    path = tmp_path / "both.rrd"
    await call(rec.set_sinks, rr.FileSink(path), QueuedSink(viewer.sink))
    await call(rec.log, "a", rr.Scalars(1.0))
    await call(rec.disconnect)
    assert scalars_of(path, "/a") == values_in(widgets.last, "/a") == [1.0]


async def test_disabled_and_closed_recordings(
    face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    off = face.RecordingStream("app", recording_id="off", default_enabled=False)
    with caplog.at_level(logging.WARNING, "aiorerun"):
        await made(face, recording=off)
        await call(off.notebook_show)
    assert caplog.text.count("is disabled") == 2
    assert widgets.shown == []
    closed = face.RecordingStream("app", recording_id="closed")
    await call(closed.aclose if face is rr else closed.close)
    with pytest.warns(rr.RerunWarning, match="closed"):
        await call(closed.notebook_show)
    assert widgets.shown == []


async def test_the_blueprint_of_an_application(face: Any, widgets: StandIns) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    widgets.last.tell("ready")
    view = face.blueprint.Spatial2DView(origin="here")
    viewer.set_application_blueprint("other", view, make_default=False)
    viewer.set_active_recording(recording_id="x")
    await settled(viewer)
    [data] = widgets.last.recordings
    assert b"other" in data
    assert any("here" in str(row.values) for row in rows_of(data))
    assert json.loads(widgets.last.sent[-1][0])["type"] == "recording_id"
    with pytest.raises(TypeError, match="set_application_blueprint"):
        viewer.set_application_blueprint("other", 3)
    with pytest.raises(ValueError, match="application"):
        viewer.set_application_blueprint("", view)


async def test_tables(face: Any, widgets: StandIns) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    await call(viewer.send_table, "mine", pa.table({"a": [1, 2]}))
    assert widgets.last.sent == []
    widgets.last.tell("ready")
    [(text, [data])] = widgets.last.sent
    assert text == '{"type": "table"}'
    assert pa.ipc.open_stream(data).schema.metadata == {b"__table_id": b"mine"}
    with pytest.raises(TypeError, match="send_table"):
        await call(viewer.send_table, "mine", 3)
    with pytest.raises(TypeError, match="id must be a str"):
        await call(viewer.send_table, 3, pa.table({"a": [1, 2]}))


# --- what the browser tells ------------------------------------------------------------------------

PLAY: Final = '{"type": "play", "application_id": "app", "recording_id": "rec"}'


def test_events_reach_all_callbacks(face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    widgets.last.tell(PLAY)
    told: list[Any] = []

    def fail(event: Any) -> None:
        raise OSError("no way")

    viewer.on_event(fail)
    viewer.on_event(told.append)
    widgets.last.tell(PLAY)
    widgets.last.tell('{"type": "of a later version"}')
    widgets.last.tell({"not": "a text"})
    assert told == [face.notebook.PlayEvent("app", "rec", None)]
    assert "no way" in caplog.text
    assert not viewer.is_ready


async def test_coroutine_functions_are_callbacks(widgets: StandIns, caplog: pytest.LogCaptureFixture) -> None:
    viewer, told = rr.notebook.Viewer(use_global_recording=False), asyncio.Queue[Any]()

    async def note(event: Any) -> None:
        await told.put(event)

    async def fail(event: Any) -> None:
        raise OSError("no way")

    viewer.on_event(fail)
    viewer.on_event(note)
    widgets.last.tell(PLAY)
    assert await asyncio.wait_for(told.get(), 5) == rr.notebook.PlayEvent("app", "rec", None)
    await asyncio.wait_for(asyncio.gather(*viewer._tasks, return_exceptions=True), 5)
    assert "no way" in caplog.text


async def test_events_of_another_thread_come_to_the_loop(widgets: StandIns) -> None:
    viewer, told = rr.notebook.Viewer(use_global_recording=False), asyncio.Queue[Any]()
    viewer.on_event(lambda event: told.put_nowait(threading.current_thread()))
    await asyncio.to_thread(widgets.last.tell, PLAY)
    assert await asyncio.wait_for(told.get(), 5) is threading.current_thread()


# --- display ---------------------------------------------------------------------------------------


async def test_display(face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    shown = viewer.display()
    assert widgets.shown == [widgets.last]
    if face is rr:
        # It can be awaited, need not be, and does not show up at the end of a cell.
        assert shown._ipython_display_() is None
        assert await shown is None
    viewer._ipython_display_()
    assert len(widgets.shown) == 2
    assert viewer._display_() is widgets.last
    assert caplog.text == ""


@pytest.mark.may_block
async def test_display_waits_until_the_viewer_is_ready(
    face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = face.notebook.Viewer(use_global_recording=False)
    if face is rr:
        await viewer.display(block_until_ready=True)
    else:
        await asyncio.to_thread(viewer.display, block_until_ready=True)
    assert "was not ready within" in caplog.text
    caplog.clear()
    monkeypatch.setattr("aiorerun.widget.ready.READY_SECS", 30)
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, widgets.last.tell, "ready")
    async with asyncio.timeout(10):
        if face is rr:
            await viewer.display(True)
        else:
            await asyncio.to_thread(viewer.display, True)
    assert viewer.is_ready
    assert caplog.text == ""


async def test_marimo_is_not_waited_for(
    face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiorerun.widget.ready.READY_SECS", 30)
    monkeypatch.setattr("aiorerun.widget.ready.in_marimo", lambda: True)
    rec = face.RecordingStream("app", recording_id="marimo")
    async with asyncio.timeout(5):
        await call(rec.notebook_show)
    assert widgets.shown == [widgets.last]
    assert caplog.text == ""
    await call(rec.disconnect)


# --- without the extra -----------------------------------------------------------------------------

WITHOUT: Final = """
import asyncio, sys
sys.modules["rerun_notebook"] = None
import aiorerun as rr
import aiorerun.sync
calls = 0

def expect(function, *args, **options):
    global calls
    try:
        function(*args, **options)
    except ImportError as error:
        assert "pip install 'aiorerun[notebook]'" in str(error), error
        calls += 1

blocking = aiorerun.sync.RecordingStream("app", recording_id="blocking")
expect(aiorerun.sync.notebook.Viewer)
expect(blocking.notebook_show)
expect(rr.notebook.Viewer)
expect(lambda: asyncio.run(rr.AsyncRecordingStream("app", recording_id="asyncio").notebook_show()))
expect(lambda: asyncio.run(rr.notebook.Viewer.loaded()))
# The page of old needs nothing of it.
assert "<iframe" in str(getattr(page := blocking.legacy_notebook_show(), "data", page))
print(calls)
"""


def test_without_the_extra_the_message_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


@pytest.mark.parametrize("place", ["ftp://x/widget.js", "https://x/other.js", "nonsense"])
def test_assets_from_nowhere(place: str) -> None:
    code = "import aiorerun.sync as rr\nrr.notebook.Viewer()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": ":".join(sys.path), "RERUN_NOTEBOOK_ASSET": place},
    )  # fmt: skip
    assert done.returncode == 1
    assert "ValueError: RERUN_NOTEBOOK_ASSET" in done.stderr
