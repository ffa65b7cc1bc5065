"""Showing recordings in notebooks: the functions and methods of both APIs."""

from __future__ import annotations

import asyncio
import base64
import builtins
import logging
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun import web_viewer
from aiorerun.testing import CaptureSink
from aiorerun.widget import loading
from tests.reading import rows_of, scalars_of
from tests.unit.test_notebook import call, values_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.widget.standin import StandIns

FACES: Final = {"asyncio": rr, "blocking": aiorerun.sync}


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    face = FACES[request.param]
    yield face
    face.set_global_data_recording(None)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no browser here."""
    monkeypatch.setattr("aiorerun.widget.ready.READY_SECS", 0.05)


def data_in(page: Any) -> bytes:
    """The recording in a page."""
    [text] = re.findall(r'data-rrd="([^"]*)"', page.data)
    return base64.b64decode(text)


# --- notebook_show ---------------------------------------------------------------------------------


async def test_notebook_show(face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture) -> None:
    rec = face.RecordingStream("app", recording_id="shown", make_default=True)
    await call(rec.log, "a", rr.Scalars(1.0))
    await call(face.notebook_show, width=300, blueprint=face.blueprint.Spatial2DView(origin="here"))
    assert widgets.shown == [widgets.last]
    assert (widgets.last.options["width"], widgets.last.options["height"]) == (300, 480)
    assert "was not ready within" in caplog.text
    widgets.last.tell("ready")
    # The layout comes before the data.
    paths = [row.path for data in widgets.last.recordings for row in rows_of(data)]
    assert paths.index("/viewport") < paths.index("/a")
    await call(rec.log, "a", rr.Scalars(2.0))
    await call(rec.flush)
    assert values_in(widgets.last, "/a") == [1.0, 2.0]
    # Another viewer takes its place.
    await call(rec.notebook_show)
    await call(rec.log, "a", rr.Scalars(3.0))
    await call(rec.flush)
    widgets.last.tell("ready")
    assert [values_in(widget, "/a") for widget in widgets.made] == [[1.0, 2.0], [3.0]]
    await call(rec.disconnect)


async def test_notebook_show_without_a_recording(
    face: Any, widgets: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    await call(face.notebook_show)
    assert "no recording is active" in caplog.text
    assert widgets.made == []


async def test_a_wrong_blueprint_shows_nothing(face: Any, widgets: StandIns) -> None:
    rec, capture = face.RecordingStream("app", recording_id="wrong"), CaptureSink()
    await call(rec.set_sinks, capture)
    with pytest.raises(TypeError, match="notebook_show: blueprint"):
        await call(rec.notebook_show, blueprint=3)
    assert widgets.made == []
    assert [sink.name for sink in rec.stats().sinks] == [repr(capture)]
    await call(rec.disconnect)


async def test_the_widget_is_loaded_in_a_thread(widgets: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[bool] = []
    load = loading.load

    def note() -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loaded.append(True)
        return load()

    monkeypatch.setattr(loading, "load", note)
    monkeypatch.setattr(loading, "is_loaded", lambda: False)
    rec = rr.AsyncRecordingStream("app", recording_id="thread")
    await rec.notebook_show()
    await rr.notebook.Viewer.loaded()
    assert loaded == [True, True]
    await rec.disconnect()


# --- the page of old -------------------------------------------------------------------------------


async def test_the_page_holds_what_waits_for_a_sink_and_keeps_it(face: Any, tmp_path: Path) -> None:
    rec = face.RecordingStream("app", recording_id="page", make_default=True)
    await call(rec.log, "a", rr.Scalars(1.0))
    view = face.blueprint.Spatial2DView(origin="here")
    data = data_in(await call(face.legacy_notebook_show, blueprint=view))
    paths = [row.path for row in rows_of(data)]
    assert paths.index("/viewport") < paths.index("/a")
    assert scalars_of(data, "/a") == [1.0]
    await call(rec.log, "a", rr.Scalars(2.0))
    assert scalars_of(data_in(await call(rec.legacy_notebook_show)), "/a") == [1.0, 2.0]
    await call(rec.save, tmp_path / "later.rrd")
    await call(rec.disconnect)
    assert scalars_of(tmp_path / "later.rrd", "/a") == [1.0, 2.0]


async def test_sinks_stay_what_they_are(face: Any, tmp_path: Path) -> None:
    rec = face.RecordingStream("app", recording_id="stay")
    memory = await call(rec.memory_recording)
    await call(rec.log, "a", rr.Scalars(1.0))
    assert scalars_of(data_in(await call(rec.legacy_notebook_show)), "/a") == [1.0]
    assert scalars_of(await call(memory.drain_as_bytes), "/a") == [1.0]

    binary = await call(rec.binary_stream)
    await call(rec.log, "a", rr.Scalars(2.0))
    assert scalars_of(data_in(await call(rec.legacy_notebook_show)), "/a") == [2.0]
    assert scalars_of(await call(binary.read), "/a") == [2.0]

    await call(rec.set_sinks, CaptureSink(), rr.QueuedSink(rr.FileSink(tmp_path / "a.rrd")))
    await call(rec.log, "a", rr.Scalars(3.0))
    view = face.blueprint.Spatial2DView(origin="here")
    data = data_in(await call(rec.legacy_notebook_show, blueprint=view))
    assert scalars_of(data, "/a") == [3.0]
    assert "/viewport" in [row.path for row in rows_of(data)]
    await call(rec.log, "a", rr.Scalars(4.0))
    await call(rec.disconnect)
    assert scalars_of(tmp_path / "a.rrd", "/a") == [3.0, 4.0]


async def test_sinks_that_keep_nothing(face: Any, caplog: pytest.LogCaptureFixture) -> None:
    rec, capture = face.RecordingStream("app", recording_id="nothing"), CaptureSink()
    await call(rec.set_sinks, capture)
    await call(rec.log, "a", rr.Scalars(1.0))
    assert rows_of(data_in(await call(rec.legacy_notebook_show))) == []
    assert "nothing to show" in caplog.text
    await call(rec.disconnect)


async def test_the_page_of_a_recording_that_is_off(face: Any) -> None:
    off = face.RecordingStream("app", recording_id="off", default_enabled=False)
    assert rows_of(data_in(await call(off.legacy_notebook_show))) == []
    with pytest.raises(ValueError, match="no recording is active"):
        await call(face.legacy_notebook_show)


async def test_which_viewer_the_page_shows(face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rec = face.RecordingStream("app", recording_id="which")
    for served, given, shown in (
        (None, None, "https://app.rerun.io?url="),
        ("http://127.0.0.1:9090/", None, "http://127.0.0.1:9090/?url="),
        ("http://127.0.0.1:9090/", "http://localhost/", "http://localhost/?url="),
    ):
        monkeypatch.setattr(web_viewer._Served, "app_url", served)
        page = await call(rec.legacy_notebook_show, app_url=given, width=30, height=40, timeout_ms=5)
        assert f'src="{shown}' in page.data
        assert 'width="30" height="40"' in page.data
    with pytest.raises(ValueError, match="app_url"):
        await call(rec.legacy_notebook_show, app_url="javascript:alert(1)")
    await call(rec.disconnect)


async def test_without_ipython_the_page_is_a_text(
    face: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import_module = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("IPython"):
            raise ImportError(name)
        return import_module(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    rec = face.RecordingStream("app", recording_id="text")
    page = await call(rec.legacy_notebook_show)
    assert isinstance(page, str)
    assert "<iframe" in page
    assert "IPython is not installed" in caplog.text
    await call(rec.disconnect)


# --- the end of a cell -----------------------------------------------------------------------------


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook."""
    monkeypatch.setattr("aiorerun.widget.kernel.running_kernel", object)


async def bundle_of(rec: Any) -> Any:
    if isinstance(rec, rr.AsyncRecordingStream):
        return rec._repr_mimebundle_()
    return await asyncio.to_thread(rec._repr_mimebundle_)


@pytest.mark.usefixtures("kernel")
async def test_a_recording_shows_itself_at_the_end_of_a_cell(face: Any, widgets: StandIns) -> None:
    rec = face.RecordingStream("app", recording_id="cell")
    await call(rec.log, "a", rr.Scalars(1.0))
    data, metadata = await bundle_of(rec)
    assert data["application/vnd.jupyter.widget-view+json"] == {"model_id": "x"}
    assert (data["text/plain"], metadata) == (repr(rec), {})
    await call(rec.flush)
    widgets.last.tell("ready")
    assert values_in(widgets.last, "/a") == [1.0]
    # It has a sink now.
    assert "NotebookSink" in (await bundle_of(rec))["text/html"]
    assert len(widgets.made) == 1
    await call(rec.disconnect)


@pytest.mark.usefixtures("kernel")
async def test_a_recording_that_has_sinks_keeps_them(face: Any, widgets: StandIns) -> None:
    rec, capture = face.RecordingStream("app", recording_id="<b>"), CaptureSink()
    await call(rec.set_sinks, capture)
    bundle = await bundle_of(rec)
    assert bundle["text/plain"] == repr(rec)
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    assert widgets.made == []
    assert [sink.name for sink in rec.stats().sinks] == [repr(capture)]
    await call(rec.disconnect)


@pytest.mark.usefixtures("kernel")
async def test_recordings_that_cannot_be_shown_are_described(
    face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = face.RecordingStream("app", recording_id="off", default_enabled=False)
    assert "it is disabled" in (await bundle_of(off))["text/html"]

    def missing() -> Any:
        raise ImportError("pip install 'aiorerun[notebook]'")

    monkeypatch.setattr(loading, "load", missing)
    rec = face.RecordingStream("app", recording_id="missing")
    assert "aiorerun[notebook]" in (await bundle_of(rec))["text/html"]
    assert not rec.stats().sinks


async def test_in_a_terminal_a_recording_is_its_name(face: Any, caplog: pytest.LogCaptureFixture) -> None:
    rec = face.RecordingStream("app", recording_id="terminal")
    with caplog.at_level(logging.DEBUG):
        assert await bundle_of(rec) == {"text/plain": repr(rec)}
    assert not rec.stats().sinks
