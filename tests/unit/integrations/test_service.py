"""The recording of a service: opened and closed with it, or by the first request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.integrations.service import ServiceRecording, opened
from aiorerun.testing import CaptureSink
from tests.asgi import drive, http_scope, until
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from pathlib import Path


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_file(tmp_path: Path) -> None:
    service = ServiceRecording(save=tmp_path / "a-{worker}.rrd", application_id="mine")
    recording = await service.open()

    assert recording is service.recording is rr.get_global_data_recording()
    assert recording is not None
    assert recording.get_application_id() == "mine"
    assert await service.open() is recording
    recording.log_nowait("a", rr.Scalars(1.0))
    await service.close()
    await service.close()
    assert rr.get_global_data_recording() is None
    assert (service.recording, opened) == (None, [])
    assert_verified([tmp_path / "a-0.rrd"])


async def test_several_sinks_at_once(tmp_path: Path) -> None:
    sink = CaptureSink()
    service = ServiceRecording(
        save=tmp_path / "a.rrd",
        serve_grpc=0,
        connect_grpc="rerun+http://127.0.0.1:1/proxy",
        sinks=[sink],
        close_timeout=2,
    )
    recording = await service.open()
    assert recording is not None
    names = [stats.name.partition("(")[0] for stats in recording.stats().sinks]
    recording.log_nowait("a", rr.Scalars(1.0))
    await recording.log("b", rr.Scalars(1.0))
    await service.close()

    assert names == ["FileSink", "GrpcSink", "GrpcServerSink", "CaptureSink"]
    assert [row.path for row in rows_of(tmp_path / "a.rrd")] == ["/a", "/b"]


async def test_each_worker_has_a_recording_of_its_own() -> None:
    first, second = ServiceRecording(sinks=[CaptureSink()]), ServiceRecording(sinks=[CaptureSink()])
    recordings = [await first.open(), await second.open()]
    ids = {recording.get_recording_id() for recording in recordings if recording is not None}
    await first.close()
    await second.close()

    assert len(ids) == 2


async def test_a_global_recording_stays() -> None:
    mine = rr.AsyncRecordingStream("mine", make_default=True)
    try:
        service = ServiceRecording(sinks=[CaptureSink()])
        await service.open()
        assert rr.get_global_data_recording() is mine
        await service.close()
        assert rr.get_global_data_recording() is mine
    finally:
        rr.set_global_data_recording(None)


async def test_a_recording_that_exists_is_only_used() -> None:
    async with rr.AsyncRecordingStream("mine") as rec:
        await rec.set_sinks(CaptureSink())
        service = ServiceRecording(rec)
        assert await service.open() is rec
        assert opened == [rec]
        await service.close()
        assert opened == []
        assert len(rec.stats().sinks) == 1


def test_a_recording_and_sinks_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="recording: it has its own sinks"):
        ServiceRecording(rr.AsyncRecordingStream("mine"), save="a.rrd")


def test_nothing_to_open() -> None:
    assert not ServiceRecording().owns
    assert not ServiceRecording(connect_grpc=False, serve_grpc=False).owns
    assert ServiceRecording(serve_grpc=0).owns


async def test_a_sink_that_cannot_be_opened(tmp_path: Path) -> None:
    service = ServiceRecording(save=tmp_path / "none" / "a.rrd")
    with pytest.raises(rr.SinkOpenError):
        await service.open()

    assert (service.recording, rr.get_global_data_recording(), opened) == (None, None, [])
    await service.close()


async def test_the_first_request_opens_where_no_start_was_seen() -> None:
    sink = CaptureSink()
    wrapped = RerunMiddleware(ok, sinks=[sink])
    for _ in range(3):
        await drive(wrapped, http_scope("/a"))
    service = wrapped._service
    assert service.recording is not None
    await service.close()

    assert len([row for row in await sink.rows() if row.entity_path == "/http/requests/a/GET"]) == 3
    # What comes after the end does not begin anew.
    await drive(wrapped, http_scope("/a"))
    assert service.recording is None


async def test_a_failed_opening_in_the_background_records_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrapped = RerunMiddleware(ok, save=tmp_path / "none" / "a.rrd")
    for _ in range(3):
        transcript = await drive(wrapped, http_scope("/a"))
        assert len(transcript.sent) == 2

    async def has_failed() -> bool:
        return wrapped._service.recording is None

    await until(has_failed)
    await drive(wrapped, http_scope("/a"))

    assert caplog.text.count("nothing is recorded") == 1


async def test_a_failed_opening_is_told_once_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrapped = RerunMiddleware(ok, save=tmp_path / "none" / "a.rrd")
    await drive(wrapped, http_scope("/a"))

    async def has_failed() -> bool:
        return wrapped._service.recording is None

    await until(has_failed)
    for _ in range(20):
        await drive(wrapped, http_scope("/a"))
        assert wrapped._service.recording is None

    assert wrapped.stats.excluded == 20
    assert caplog.text.count("nothing is recorded") == 1


@pytest.mark.may_block
def test_the_next_loop_goes_on_with_the_recording() -> None:
    """As with servers without lifespans that are run once more."""
    sink = CaptureSink()
    wrapped = RerunMiddleware(ok, sinks=[sink], rate_interval=0)

    async def run() -> list[Any]:
        await drive(wrapped, http_scope("/a"))

        async def is_there() -> bool:
            return wrapped._service._opening is None

        await until(is_there)
        recording = wrapped._service.recording
        assert recording is not None
        await recording.flush()
        return [row for row in await sink.rows() if row.entity_path == "/http/requests/a/GET"]

    assert len(asyncio.run(run())) == 1
    first = wrapped._service.recording
    assert len(asyncio.run(run())) == 2
    assert wrapped._service.recording is first
    asyncio.run(wrapped._service.close())


@pytest.mark.may_block
def test_loops_that_end_before_the_sinks_are_open(tmp_path: Path) -> None:
    """As with a test client without a lifespan."""
    path = tmp_path / "a.rrd"
    wrapped = RerunMiddleware(ok, save=path)
    for _ in range(3):
        asyncio.run(_drive_once(wrapped))
        assert [row.path for row in rows_of(path)].count("/http/requests/a/GET") == 1
    asyncio.run(wrapped._service.close())

    assert wrapped.stats.recorded == 3
    assert_verified([path])


async def _drive_once(wrapped: RerunMiddleware) -> None:
    await drive(wrapped, http_scope("/a"))


async def test_a_disabled_recording_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERUN", "0")
    wrapped = RerunMiddleware(ok, sinks=[CaptureSink()])
    await drive(wrapped, http_scope("/a"))

    assert wrapped.stats.excluded == 1
    await wrapped._service.close()
