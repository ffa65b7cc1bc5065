"""The live view as an ASGI app, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun.errors import SinkOpenError
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.integrations.live_view import page as page_module, uvicorn
from aiorerun.integrations.live_view.asgi import GRPC_PATH, AsgiExchange, LiveView
from aiorerun.net.logmsg import PREFIX
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES
from tests.reading import rows_of, scalars_of
from tests.unit.integrations.live_view.peer import HOST, Peer, ask, asking, scope_of
from tests.unit.server.peers import TIMEOUT, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiorerun.integrations.live_view.request import ViewRequest

WEB = (HOST, ("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1"))
OK = bytes.fromhex("800000000f") + b"grpc-status:0\r\n"
SNAPSHOT = "/recording.rrd?follow=0"


@pytest.fixture
async def rec() -> AsyncIterator[rr.AsyncRecordingStream]:
    stream = rr.AsyncRecordingStream("app", recording_id="live")
    yield stream
    await stream.disconnect()


@pytest.fixture
async def view(rec: rr.AsyncRecordingStream, tmp_path: Path) -> AsyncIterator[LiveView]:
    async with LiveView(rec, cache_dir=tmp_path) as made:
        yield made


async def log(rec: rr.AsyncRecordingStream, *values: float) -> None:
    for value in values:
        await rec.log("value", rr.Scalars(value))
    await rec.flush()


# --- the recording ---------------------------------------------------------------------------------


async def test_the_recording_as_it_is_now(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    # Not flushed: the answer has what was logged before it was asked for.
    await rec.log("value", rr.Scalars(1.0))
    await rec.log("text", rr.TextLog("hello"), static=True)
    answer = await ask(view, SNAPSHOT)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.is_complete
    assert scalars_of(answer.body, "/value") == [1.0]
    assert {row.recording for row in rows_of(answer.body)} == {"live"}
    assert view.num_readers == 0


async def test_the_recording_as_it_grows(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    await log(rec, 1.0)
    async with asking(view, "/recording.rrd") as (peer, task):
        await peer.until(lambda peer: scalars_of(peer.body, "/value") == [1.0])
        # Nothing that compresses or collects comes between.
        assert peer.headers["content-encoding"] == "identity"
        assert peer.headers["x-accel-buffering"] == "no"
        assert peer.headers["cache-control"] == "no-store"
        await log(rec, 2.0, 3.0)
        await peer.until(lambda peer: scalars_of(peer.body, "/value") == [1.0, 2.0, 3.0])
        assert view.num_readers == 1
        peer.leave()
        await asyncio.wait_for(task, TIMEOUT)
    assert not peer.is_complete
    assert view.num_readers == 0


async def test_the_recording_ends_the_stream(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    async with asking(view, "/recording.rrd") as (peer, task):
        await peer.until(lambda peer: len(peer.messages) > 1)
        await rec.log("value", rr.Scalars(7.0))
        await rec.disconnect()
        await asyncio.wait_for(task, TIMEOUT)
        assert peer.is_complete
        assert scalars_of(peer.body, "/value") == [7.0]
    # What the view kept is gone with it; it takes the recording again.
    assert (await ask(view, SNAPSHOT)).status == 200


async def test_large_messages_come_in_pieces(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    await rec.log("asset", rr.Scalars(np.random.default_rng(1).random(200_000)), static=True)
    answer = await ask(view, SNAPSHOT)
    assert len(answer.body) > 1 << 20
    assert max(len(message.get("body", b"")) for message in answer.messages) <= 256 << 10
    assert [row.path for row in rows_of(answer.body)] == ["/asset"]


async def test_head_and_other_methods(view: LiveView) -> None:
    head = await ask(view, "/recording.rrd", method="HEAD")
    assert (head.status, head.body, head.is_complete) == (200, b"", True)
    assert view.num_readers == 0
    post = await ask(view, "/recording.rrd", method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD")


async def test_more_readers_than_allowed_come_later(rec: rr.AsyncRecordingStream, tmp_path: Path) -> None:
    async with LiveView(rec, max_readers=1, cache_dir=tmp_path) as view:
        async with asking(view, "/recording.rrd") as (peer, _):
            await peer.until(lambda peer: len(peer.messages) > 1)
            refused = await ask(view, "/recording.rrd")
            assert refused.status == 503
            assert "retry-after" in refused.headers
        async with asking(view, "/recording.rrd") as (peer, _):
            await peer.until(lambda peer: bool(peer.messages))
            assert peer.status == 200


async def test_nobody_waits_for_a_reader_that_does_not_take_anything(
    rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    async with LiveView(rec, server_memory_limit="1MB", cache_dir=tmp_path) as view:
        assert view.sink.hub is not None
        view.sink.hub.reader_bytes = 4 << 20
        async with (
            asking(view, "/recording.rrd") as (stuck, task),
            asking(view, "/recording.rrd") as (peer, _),
        ):
            await until(lambda: view.num_readers == 2)
            await peer.until(lambda peer: len(peer.messages) > 1)
            await stuck.until(lambda peer: len(peer.messages) > 1)
            stuck.takes.clear()
            noise = np.random.default_rng(1).random(131072)
            async with asyncio.timeout(TIMEOUT):
                for number in range(20):
                    await rec.log("asset", rr.Scalars(noise + number))
                    await rec.flush()
            await until(lambda: view.num_readers == 1)
            # The server is told that the answer is not complete: it is in no other way than this.
            with pytest.raises(ConnectionAbortedError, match="too slow"):
                await asyncio.wait_for(task, TIMEOUT)
            assert not stuck.is_complete
            await peer.until(lambda peer: len(rows_of(peer.body)) == 20)
            assert rec.stats().rows_dropped == 0


async def test_a_peer_that_takes_too_long_is_cut_off(
    rec: rr.AsyncRecordingStream, view: LiveView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsgiExchange.__init__, "__defaults__", (0.05,))
    async with asking(view, "/recording.rrd") as (peer, task):
        await peer.until(lambda peer: len(peer.messages) > 1)
        peer.takes.clear()
        await log(rec, 1.0)
        with pytest.raises(ConnectionAbortedError, match="too slow"):
            await asyncio.wait_for(task, TIMEOUT)
    assert view.num_readers == 0


async def test_cancelling_an_answer_frees_everything(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    await ask(view)
    tasks = asyncio.all_tasks()
    async with asking(view, "/recording.rrd") as (peer, task):
        await peer.until(lambda peer: len(peer.messages) > 1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
    assert view.num_readers == 0
    await until(lambda: asyncio.all_tasks() <= tasks)


# --- gRPC-web --------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_root", [False, True])
async def test_grpc_web_below_the_view_and_at_the_root(
    at_root: bool, rec: rr.AsyncRecordingStream, view: LiveView
) -> None:
    await log(rec, 1.0)
    # Mounted at the root, the path of the service is that of the mount.
    app = view.grpc_web if at_root else view
    root = GRPC_PATH if at_root else ""
    async with asking(app, READ_MESSAGES, method="POST", headers=WEB, body=bytes(5), root_path=root) as (
        peer,
        task,
    ):
        await peer.until(lambda peer: peer.body.count(b"/value") > 0)
        assert peer.headers["content-type"] == "application/grpc-web+proto"
        assert peer.headers["content-encoding"] == "identity"
        flag, length = PREFIX.unpack_from(peer.body)
        assert (flag, length < len(peer.body)) == (0, True)
        await rec.disconnect()
        await asyncio.wait_for(task, TIMEOUT)
        assert peer.body.endswith(OK)
        assert peer.is_complete


async def test_nothing_can_be_written(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    await log(rec, 1.0)
    refused = await ask(view, WRITE_MESSAGES, method="POST", headers=WEB, body=PREFIX.pack(0, 3) + b"abc")
    assert refused.headers["grpc-status"] == "12"
    unknown = await ask(view, f"{GRPC_PATH}/Nothing", method="POST", headers=WEB, body=bytes(5))
    assert unknown.headers["grpc-status"] == "12"
    assert len(rows_of((await ask(view, SNAPSHOT)).body)) == 1


async def test_requests_that_are_no_grpc_web(view: LiveView) -> None:
    assert (await ask(view, READ_MESSAGES, method="POST")).status == 400
    assert (await ask(view, READ_MESSAGES, headers=WEB)).status == 405
    long = PREFIX.pack(0, 100_000) + bytes(100_000)
    assert (await ask(view, READ_MESSAGES, method="POST", headers=WEB, body=long)).headers[
        "grpc-status"
    ] == "8"
    async with asking(view, READ_TABLES, method="POST", headers=WEB, body=bytes(5)) as (peer, _):
        await peer.until(lambda peer: bool(peer.messages))
        assert peer.status == 200


async def test_preflights_need_nobody(rec: rr.AsyncRecordingStream, tmp_path: Path) -> None:
    async with LiveView(
        rec, authorize=lambda _: False, cors_allow_origin="https://a.example", cache_dir=tmp_path
    ) as view:
        asked = (HOST, ("origin", "https://a.example"), ("access-control-request-method", "POST"))
        answer = await ask(view, READ_MESSAGES, method="OPTIONS", headers=asked)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["access-control-allow-methods"] == "POST"
        foreign = await ask(view, READ_MESSAGES, method="OPTIONS", headers=(("origin", "https://b.example"),))
        assert "access-control-allow-origin" not in foreign.headers
        assert (await ask(view, "/", method="OPTIONS")).status == 403


# --- the page --------------------------------------------------------------------------------------


async def test_the_page_and_its_files(view: LiveView) -> None:
    page = await ask(view)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b'content="recording.rrd"' in page.body
    # It shows what this service has, and only inside of it.
    assert "connect-src 'self' data: blob:" in page.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert int(page.headers["content-length"]) == len(page.body)
    again = await ask(view, headers=(HOST, ("if-none-match", page.headers["etag"])))
    assert (again.status, again.body) == (304, b"")
    for name, kind in (
        ("live.js", "text/javascript"),
        ("page.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = await ask(view, f"/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert answer.body
    head = await ask(view, "/re_viewer_bg.wasm", method="HEAD")
    assert head.headers["content-type"] == "application/wasm"
    assert (int(head.headers["content-length"]) > 1 << 20, head.body) == (True, b"")
    assert (await ask(view, "/nothing")).status == 404
    assert (await ask(view, "/../live_view.py")).status == 404


async def test_large_files_are_compressed_once(rec: rr.AsyncRecordingStream, tmp_path: Path) -> None:
    async with LiveView(rec, cache_dir=tmp_path) as view:
        gzip = (HOST, ("accept-encoding", "gzip"))
        async with asyncio.timeout(TIMEOUT):
            answer = await ask(view, "/widget.js", method="HEAD", headers=gzip)
            while "content-encoding" not in answer.headers:
                await asyncio.sleep(0.02)
                answer = await ask(view, "/widget.js", method="HEAD", headers=gzip)
        assert answer.headers["content-encoding"] == "gzip"


async def test_without_the_extra_there_is_data_but_no_page(
    rec: rr.AsyncRecordingStream, view: LiveView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> Any:
        raise ImportError("the package rerun-notebook is not installed: pip install 'aiorerun[web]'")

    monkeypatch.setattr(page_module, "find_assets", missing)
    page = await ask(view)
    assert page.status == 501
    assert b"aiorerun[web]" in page.body
    assert (await ask(view, SNAPSHOT)).status == 200


@pytest.mark.parametrize(
    ("path", "root_path", "status"),
    [
        ("/", "", 200),
        ("/telemetry/", "/telemetry", 200),
        ("/api/v1/telemetry/", "/api/v1/telemetry", 200),
        # Frameworks that take the place of the mount off the path, and add it to `root_path` or not.
        ("/page.js", "/telemetry", 200),
        ("/page.js", "", 200),
        ("/telemetry/page.js", "/telemetry/", 200),
        ("/page.js/", "/telemetry", 200),
        ("/telemetry", "/telemetry", 307),
        ("/telemetrypage.js", "/telemetry", 404),
        ("/telemetry/page.js", "", 404),
    ],
)
async def test_where_it_is_mounted_does_not_matter(
    path: str, root_path: str, status: int, view: LiveView
) -> None:
    assert (await ask(view, path, root_path=root_path)).status == status


async def test_the_page_is_behind_a_slash_whatever_a_framework_makes_of_the_path(view: LiveView) -> None:
    answer = await ask(view, "/", raw_path=b"/api/telemetry")
    assert (answer.status, answer.headers["location"]) == (307, "telemetry/")
    assert (await ask(view, "/", raw_path=b"/api/telemetry/")).status == 200
    assert (await ask(view, "/", raw_path=None)).status == 200


async def test_the_page_is_behind_a_slash(view: LiveView) -> None:
    answer = await ask(view, "/api/telemetry?theme=dark", root_path="/api/telemetry")
    assert answer.headers["location"] == "telemetry/?theme=dark"


# --- who may come ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/", "/page.js", "/nothing", "/recording.rrd", READ_MESSAGES])
async def test_the_hook_is_asked_for_everything(
    target: str, rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    asked: list[ViewRequest] = []

    async def nobody(request: ViewRequest) -> bool:
        asked.append(request)
        return False

    async with LiveView(rec, authorize=nobody, cache_dir=tmp_path) as view:
        scope = scope_of(target, client=("10.0.0.1", 1), headers=(("cookie", "session=1"),), user="me")
        peer = Peer()
        await view(scope, peer.receive, peer.send)
        assert peer.status == 403
        assert view.num_readers == 0
    [request] = asked
    assert (request.path, request.client) == (target, "10.0.0.1")
    assert request.headers == {"cookie": "session=1"}
    assert request.native["user"] == "me"


async def test_what_the_hook_raises_is_left_to_the_framework(
    rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    class Unauthorized(PermissionError):
        pass

    def raising(_: ViewRequest) -> bool:
        raise Unauthorized

    async with LiveView(rec, authorize=raising, cache_dir=tmp_path) as view:
        peer = Peer()
        with pytest.raises(Unauthorized):
            await view(scope_of("/"), peer.receive, peer.send)
        assert not peer.messages


async def test_other_machines_get_nothing_unless_somebody_said_so(
    rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    elsewhere = ("192.168.1.7", 1)
    async with LiveView(rec, cache_dir=tmp_path) as view:
        for target in ("/", "/recording.rrd", READ_MESSAGES):
            assert (await ask(view, target, client=elsewhere)).status == 403
    async with LiveView(rec, insecure=True, cache_dir=tmp_path) as view:
        assert (await ask(view, SNAPSHOT, client=elsewhere)).status == 200


def test_arguments_that_contradict_each_other() -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="args", send_properties=False)
    with pytest.raises(ValueError, match="insecure=True lets everybody in"):
        LiveView(rec, authorize=lambda _: True, insecure=True)
    with pytest.raises(ValueError, match="challenge"):
        LiveView(rec, challenge="Basic")
    with pytest.raises(ValueError, match="expected e.g."):
        LiveView(rec, server_memory_limit="much")


# --- its life --------------------------------------------------------------------------------------


async def test_the_first_request_begins_it(rec: rr.AsyncRecordingStream, tmp_path: Path) -> None:
    view = LiveView(rec, cache_dir=tmp_path)
    await rec.log("value", rr.Scalars(1.0))
    assert not rec.stats().sinks
    answers = await asyncio.gather(ask(view, SNAPSHOT), ask(view, SNAPSHOT), ask(view))
    assert [answer.status for answer in answers] == [200] * 3
    assert scalars_of(answers[0].body, "/value") == [1.0]
    await view.aclose()
    await view.aclose()
    assert not rec.stats().sinks
    closed = await ask(view, SNAPSHOT)
    assert (closed.status, b"was closed" in closed.body) == (503, True)


async def test_beside_other_sinks_it_is_given_to_the_recording(
    rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    await rec.save(tmp_path / "other.rrd")
    view = LiveView(rec, cache_dir=tmp_path)
    with pytest.raises(RuntimeError, match=r"set_sinks\(FileSink\(path\), view.sink\)"):
        await view.start()
    refused = await ask(view, SNAPSHOT)
    assert (refused.status, b"has other sinks" in refused.body) == (503, True)
    assert (await ask(view)).status == 200
    await rec.set_sinks(rr.FileSink(tmp_path / "beside.rrd"), view.sink)
    await view.start()
    await log(rec, 1.0)
    assert scalars_of((await ask(view, SNAPSHOT)).body, "/value") == [1.0]
    # It did not attach itself, so it leaves the recording alone.
    await view.aclose()
    assert len(rec.stats().sinks) == 2
    await rec.disconnect()
    assert scalars_of(tmp_path / "beside.rrd", "/value") == [1.0]


async def test_without_a_recording_it_shows_the_one_that_is_given_its_sink(
    rec: rr.AsyncRecordingStream, tmp_path: Path
) -> None:
    view = LiveView(cache_dir=tmp_path)
    refused = await ask(view, SNAPSHOT)
    assert (refused.status, b"sinks=[view.sink]" in refused.body) == (503, True)
    await rec.set_sinks(rr.FileSink(tmp_path / "beside.rrd"), view.sink)
    # Not flushed: that is up to the view.
    await rec.log("value", rr.Scalars(1.0))
    assert scalars_of((await ask(view, SNAPSHOT)).body, "/value") == [1.0]
    await rec.disconnect()
    assert view.sink.recording is None
    assert (await ask(view, SNAPSHOT)).status == 503
    await view.aclose()


async def test_telemetry_of_requests_and_their_view_in_one_service(tmp_path: Path) -> None:
    view = LiveView(cache_dir=tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/telemetry"):
            mounted = {**scope, "root_path": scope["root_path"] + "/telemetry"}
            await view(mounted, receive, send)
            return
        await rr.log("inside", rr.Scalars(7.0))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    # It is opened by the first request, as where servers tell nothing of their beginning.
    service = RerunMiddleware(app, sinks=[view.sink], exclude=["/telemetry*"], save=tmp_path / "also.rrd")
    assert (await ask(service, "/hello")).body == b"hello"
    await until(lambda: view.sink.hub is not None)
    answer = await ask(service, "/telemetry" + SNAPSHOT)
    rows = {row.path: row for row in rows_of(answer.body)}
    own, inside = rows["/http/requests/hello/GET"], rows["/inside"]
    assert own.values["Request:status"] == [200]
    assert own.times["request"] == inside.times["request"]
    assert service.stats.excluded == 1
    await service._recorder.settle()
    await service._service.close()


async def test_a_view_shows_one_recording(rec: rr.AsyncRecordingStream, view: LiveView) -> None:
    other = rr.AsyncRecordingStream("app", recording_id="other")
    with pytest.raises(SinkOpenError, match="another recording"):
        await other.set_sinks(view.sink)
    assert repr(view.sink) == "LiveViewSink(attached)"
    assert repr(view) == f"LiveView({rec!r}, Access(local))"
    await other.aclose()


async def test_a_recording_that_is_disabled_shows_nothing(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="off", default_enabled=False)
    async with LiveView(rec, cache_dir=tmp_path) as view:
        assert (await ask(view, SNAPSHOT)).status == 503


async def test_the_recording_may_be_one_of_the_blocking_api(tmp_path: Path) -> None:
    rec = aiorerun.sync.RecordingStream("app", recording_id="sync")
    async with LiveView(rec, cache_dir=tmp_path) as view:
        assert view.sink.loop is not asyncio.get_running_loop()
        rec.log("value", rr.Scalars(1.0))
        assert scalars_of((await ask(view, SNAPSHOT)).body, "/value") == [1.0]
        async with asking(view, "/recording.rrd") as (peer, _):
            await peer.until(lambda peer: len(peer.messages) > 1)
            thread = threading.Thread(target=rec.log, args=("value", rr.Scalars(2.0)))
            thread.start()
            await peer.until(lambda peer: scalars_of(peer.body, "/value") == [1.0, 2.0])
            thread.join()
            assert view.num_readers == 1
        await until(lambda: view.num_readers == 0)
        async with asking(view, READ_MESSAGES, method="POST", headers=WEB, body=bytes(5)) as (peer, task):
            await peer.until(lambda peer: b"/value" in peer.body)
            view.end_readers()
            await asyncio.wait_for(task, TIMEOUT)
            assert b"grpc-status:14" in peer.body
    await asyncio.to_thread(rec.disconnect)


async def test_it_may_be_the_whole_service(rec: rr.AsyncRecordingStream, tmp_path: Path) -> None:
    view = LiveView(rec, cache_dir=tmp_path)
    events = asyncio.Queue[dict[str, Any]]()
    answers = asyncio.Queue[Any]()
    living = asyncio.create_task(view({"type": "lifespan"}, events.get, answers.put))
    events.put_nowait({"type": "lifespan.startup"})
    assert (await asyncio.wait_for(answers.get(), TIMEOUT))["type"] == "lifespan.startup.complete"
    assert len(rec.stats().sinks) == 1
    events.put_nowait({"type": "lifespan.shutdown"})
    assert (await asyncio.wait_for(answers.get(), TIMEOUT))["type"] == "lifespan.shutdown.complete"
    await asyncio.wait_for(living, TIMEOUT)
    events.put_nowait({"type": "lifespan.startup"})
    await view({"type": "lifespan"}, events.get, answers.put)
    failed = answers.get_nowait()
    assert (failed["type"], "was closed" in failed["message"]) == ("lifespan.startup.failed", True)


async def test_a_server_that_is_about_to_end_ends_the_readers(
    rec: rr.AsyncRecordingStream, view: LiveView, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_ending = False
    monkeypatch.setattr("aiorerun.integrations.live_view.asgi.is_ending", lambda: is_ending)
    async with (
        asking(view, "/recording.rrd") as (stream, first),
        asking(view, READ_MESSAGES, method="POST", headers=WEB, body=bytes(5)) as (grpc, second),
    ):
        await until(lambda: view.num_readers == 2)
        await log(rec, 1.0)
        await stream.until(lambda peer: scalars_of(peer.body, "/value") == [1.0])
        await grpc.until(lambda peer: b"/value" in peer.body)
        is_ending = True
        await asyncio.wait_for(asyncio.gather(first, second), TIMEOUT)
        assert stream.is_complete
        assert grpc.is_complete
        assert b"grpc-status:14" in grpc.body
    # The recording goes on.
    await log(rec, 2.0)
    assert rec.stats().rows_dropped == 0


async def test_websockets_are_refused(view: LiveView) -> None:
    async def connect() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    response = "websocket.http.response"
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["websocket.close"]),
        ({response: {}}, [f"{response}.start", f"{response}.body"]),
    ]
    for extensions, kinds in expected:
        peer = Peer()
        scope = scope_of("/") | {"type": "websocket", "extensions": extensions}
        await view(scope, connect, peer.send)
        assert [message["type"] for message in peer.messages] == kinds
    with pytest.raises(ValueError, match="answers HTTP"):
        await view({"type": "telnet"}, connect, Peer().send)


def test_uvicorn_is_found_by_what_takes_the_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        should_exit = False

        def handle_exit(self, *_: object) -> None: ...

    server = Server()
    monkeypatch.setattr("signal.getsignal", lambda _: server.handle_exit)
    assert not uvicorn.is_ending()
    server.should_exit = True
    assert uvicorn.is_ending()
    monkeypatch.setattr("signal.getsignal", lambda _: None)
    assert not uvicorn.is_ending()


async def test_the_body_of_a_request_may_end_early(view: LiveView) -> None:
    peer = Peer()
    await peer.receive()
    peer.leave()
    with contextlib.suppress(ConnectionError):
        await view(scope_of(READ_MESSAGES, method="POST", headers=WEB), peer.receive, peer.send)
    assert not peer.messages


@pytest.mark.may_block
def test_a_start_that_another_loop_took_with_it_is_made_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="live")
    view = LiveView(rec, cache_dir=tmp_path)

    async def never() -> None:
        await asyncio.Event().wait()

    async def goes_on() -> int:
        answer = await ask(view, SNAPSHOT)
        await view.aclose()
        return answer.status

    loop = asyncio.new_event_loop()
    with monkeypatch.context() as patched:
        patched.setattr(view, "_attach", never)
        starting = loop.create_task(view.start())
        loop.run_until_complete(asyncio.sleep(0))
    assert view._starting is not None
    left = view._starting
    assert asyncio.run(goes_on()) == 200
    left.cancel()
    loop.run_until_complete(asyncio.wait([left, starting]))
    loop.close()
    assert starting.cancelled()
