"""Driving a viewer: what is asked, what comes back, and what goes wrong. The viewer is played by a server."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import betterproto2
import pytest
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from aiorerun.errors import InvalidUrlError
from aiorerun.net.methods import VIEWER_CONTROL, RawCodec
from aiorerun.proto.rerun.common import v1alpha1 as common
from aiorerun.proto.rerun.viewer_control import v1alpha1 as messages
from aiorerun.viewer import answers
from aiorerun.viewer.client import ViewerClient
from aiorerun.viewer.errors import ViewerError, ViewerNotFoundError
from aiorerun.viewer.state import OpenResult, TimeCursor, Timeline
from tests.unit.viewer.standin import free_port, is_alive, make_standin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path


class FakeViewer:
    """Answers with what a test has prepared, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.raw: bytes | None = None
        self.waits = asyncio.Event()
        self.waits.set()

    def __mapping__(self) -> Mapping[str, Handler]:
        return {VIEWER_CONTROL: Handler(self._serve, Cardinality.UNARY_UNARY, bytes, bytes)}

    async def _serve(self, stream: Any) -> None:
        request = messages.ViewerControlRequest.parse(await stream.recv_message())
        kind, asked = betterproto2.which_one_of(request, "kind")
        self.asked.append((kind, asked))
        await self.waits.wait()
        answer = self.answers[kind]
        if isinstance(answer, Exception):
            raise answer
        fields: dict[str, Any] = {kind: answer}
        await stream.send_message(
            bytes(messages.ViewerControlResponse(**fields)) if self.raw is None else self.raw
        )


def serve(viewer: FakeViewer) -> Server:
    codec: Any = RawCodec()
    return Server([viewer], codec=codec)


@contextlib.asynccontextmanager
async def running(viewer: FakeViewer) -> AsyncGenerator[ViewerClient]:
    port = free_port()
    server = serve(viewer)
    await server.start("127.0.0.1", port)
    try:
        async with ViewerClient(port, timeout=20) as client:
            yield client
    finally:
        viewer.waits.set()
        server.close()
        await server.wait_closed()


async def asked(call: Callable[[ViewerClient], Any], kind: str, answer: Any) -> tuple[dict[str, Any], Any]:
    """Makes a call; the fields of the request that were set, and the result."""
    viewer = FakeViewer()
    viewer.answers[kind] = answer
    async with running(viewer) as client:
        result = await call(client)
    [(got, request)] = viewer.asked
    assert got == kind
    names = (field for field in request._betterproto.sorted_field_names)
    return {name: value for name in names if (value := getattr(request, name)) is not None}, result


async def test_the_state_comes_with_all_that_is_in_it() -> None:
    cursor = messages.TimeCursor(
        timeline=common.Timeline(name="frame"),
        time_type=common.TimeType.SEQUENCE,
        time=common.TimelineTime(time=19),
    )
    timelines = [
        messages.ViewerTimeline(
            timeline=common.Timeline(name="frame"),
            time_type=common.TimeType.SEQUENCE,
            time_range=common.TimeRange(start=-5, end=19),
        ),
        messages.ViewerTimeline(timeline=common.Timeline(name="t"), time_type=common.TimeType.TIMESTAMP_NS),
    ]
    given = messages.GetStateResponse(
        location="about:recording",
        active_store_id="Recording:app:id",
        recordings=[
            messages.ViewerRecording(
                store_id="Recording:app:id",
                timelines=timelines,
                current_time=cursor,
                location="about:it",
                play_state=messages.PlayState.FOLLOWING,
            ),
            messages.ViewerRecording(store_id="Recording:app:new"),
        ],
        views=[
            messages.ViewerView(
                view_id="1",
                class_="2D",
                name="img",
                origin="/img",
                visible=True,
                reports=[messages.ViewerReport(severity="error", summary="no", details="more")],
            )
        ],
        loading=[messages.ViewerLoadingSource(name="file", status="Loading…")],
        servers=[messages.ViewerServer(origin="rerun+http://x", error="gone")],
        viewer_version="0.41.0",
    )
    fields, state = await asked(lambda client: client.state(), "get_state", given)
    assert fields == {}
    assert (state.location, state.active_store_id) == ("about:recording", "Recording:app:id")
    assert (state.viewer_version, state.catalog_url) == ("0.41.0", None)
    first, second = state.recordings
    assert first.timelines == (
        Timeline("frame", "sequence", -5, 19),
        Timeline("t", "timestamp", None, None),
    )
    assert first.cursor == TimeCursor("frame", "sequence", 19)
    assert (first.play_state, first.location) == ("following", "about:it")
    assert second.cursor == TimeCursor(None, None, None)
    assert second.play_state is None
    [view] = state.views
    assert (view.view_id, view.view_class, view.name, view.origin) == ("1", "2D", "img", "/img")
    assert view.is_visible
    [report] = view.reports
    assert (report.severity, report.summary, report.details) == ("error", "no", "more")
    assert [(each.name, each.status) for each in state.loading] == [("file", "Loading…")]
    assert [(each.origin, each.error) for each in state.servers] == [("rerun+http://x", "gone")]


async def test_opening() -> None:
    answer = messages.OpenResponse(store_ids=["a"], loading=["b"])
    fields, result = await asked(lambda client: client.open("x.rrd", navigate=False), "open", answer)
    assert fields == {"url": "x.rrd", "navigate": False}
    assert result == OpenResult(("a",), ("b",))


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (("current",), {}, {"current": True}),
        (("all",), {}, {"all": True}),
        (("x.rrd",), {}, {"urls": messages.ViewerSourceUrls(urls=["x.rrd"])}),
        ((["x", "y"],), {}, {"urls": messages.ViewerSourceUrls(urls=["x", "y"])}),
        ((), {"store_ids": ["s"]}, {"store_ids": messages.ViewerRecordingIds(store_ids=["s"])}),
    ],
)
async def test_closing(arguments: Any, options: Any, expected: dict[str, Any]) -> None:
    answer = messages.CloseResponse(closed=["a"])
    fields, result = await asked(lambda client: client.close(*arguments, **options), "close", answer)
    assert fields == expected
    assert result == ["a"]


async def test_closing_needs_to_know_what() -> None:
    client = ViewerClient()
    with pytest.raises(ValueError, match="either urls or store_ids"):
        await client.close()
    with pytest.raises(ValueError, match="either urls or store_ids"):
        await client.close("all", store_ids=["a"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {}),
        (
            {"timeline": "frame", "sequence": 7},
            {"timeline": common.Timeline(name="frame"), "time": common.TimelineTime(time=7)},
        ),
        ({"duration": 1.5}, {"time": common.TimelineTime(time=1_500_000_000)}),
        (
            {"timestamp": datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), "store_id": "s"},
            {"time": common.TimelineTime(time=2_000_000_000), "store_id": "s"},
        ),
        ({"play_state": "following"}, {"play_state": messages.PlayState.FOLLOWING}),
        ({"sequence": 0}, {"time": common.TimelineTime(time=0)}),
    ],
)
async def test_moving_the_time_cursor(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = messages.SetTimeCursorResponse(
        store_id="s",
        timeline=common.Timeline(name="frame"),
        time_type=common.TimeType.DURATION_NS,
        time=common.TimelineTime(time=7),
    )
    fields, result = await asked(
        lambda client: client.set_time_cursor(**arguments), "set_time_cursor", answer
    )
    assert fields == expected
    assert result == TimeCursor("frame", "duration", 7)


async def test_times_that_are_none_are_refused() -> None:
    client = ViewerClient()
    with pytest.raises(ValueError, match="exactly one"):
        await client.set_time_cursor("frame", sequence=1, duration=2)
    wrong: Any = "running"
    with pytest.raises(ValueError, match="paused, playing, following"):
        await client.set_time_cursor(play_state=wrong)
    with pytest.raises(ValueError, match="empty"):
        await client.set_time_cursor("")


async def test_screenshots_come_back_or_go_to_a_file() -> None:
    picture = b"\x89PNG" + bytes(3_000_000)
    fields, result = await asked(
        lambda client: client.screenshot(view_id="v", max_size=100),
        "save_screenshot",
        messages.SaveScreenshotResponse(png=picture),
    )
    assert fields == {"view_id": "v", "max_size": 100}
    assert result == picture
    fields, result = await asked(
        lambda client: client.screenshot("x.png"), "save_screenshot", messages.SaveScreenshotResponse()
    )
    assert fields == {"file_path": "x.png"}
    assert result is None
    with pytest.raises(ViewerError, match="without a picture"):
        await asked(lambda client: client.screenshot(), "save_screenshot", messages.SaveScreenshotResponse())


@pytest.mark.parametrize("size", [-1, 1 << 32])
async def test_numbers_have_their_limits(size: int) -> None:
    with pytest.raises(ValueError, match="max_size"):
        await ViewerClient().screenshot(max_size=size)


async def test_the_log() -> None:
    entry = messages.ViewerLogEntry(sequence=3, level="WARN", target="t", message="m")
    fields, result = await asked(
        lambda client: client.logs(2), "get_logs", messages.GetLogsResponse(entries=[entry])
    )
    assert fields == {"after_sequence": 2}
    assert [(each.sequence, each.level, each.target, each.message) for each in result] == [
        (3, "WARN", "t", "m")
    ]


async def test_the_schema_of_a_recording() -> None:
    component = messages.RecordingComponentSchema(component="a:b", datatype="Utf8", has_static=True)
    answer = messages.GetRecordingSchemaResponse(
        store_id="s",
        entities=[messages.RecordingEntitySchema(entity_path="/a", components=[component])],
        omitted_entities=4,
    )
    fields, result = await asked(
        lambda client: client.recording_schema("s", entity_path="/a", max_entities=1),
        "get_recording_schema",
        answer,
    )
    assert fields == {
        "store_id": "s",
        "entity_path": "/a",
        "max_entities": 1,
        "with_archetypes": False,
        "with_components": True,
    }
    assert (result.store_id, result.timelines, result.omitted_entities) == ("s", (), 4)
    [entity] = result.entities
    [schema] = entity.components
    assert (entity.entity_path, schema.component, schema.datatype) == ("/a", "a:b", "Utf8")
    assert (schema.archetype, schema.component_type, schema.has_static) == (None, None, True)


async def test_locations() -> None:
    answer = messages.GetLocationResponse(location="about:here")
    assert await asked(lambda client: client.location(), "get_location", answer) == ({}, "about:here")
    fields, _ = await asked(
        lambda client: client.set_location("about:there"), "set_location", messages.SetLocationResponse()
    )
    assert fields == {"location": "about:there"}


async def test_commands() -> None:
    viewer = FakeViewer()
    command = messages.ViewerCommand(
        id="a",
        title="A",
        description="does it",
        scope="global",
        shortcuts=["F1"],
        available=True,
        destructive=True,
    )
    viewer.answers = {
        "list_commands": messages.ListCommandsResponse(commands=[messages.CommandSummary(id="a")]),
        "describe_commands": messages.DescribeCommandsResponse(commands=[command]),
        "run_command": messages.RunCommandResponse(command=command),
    }
    async with running(viewer) as client:
        [listed] = await client.commands()
        assert (listed.id, listed.title, listed.description) == ("a", "A", "does it")
        assert (listed.scope, listed.shortcuts, listed.target) == ("global", ("F1",), None)
        assert (listed.is_available, listed.is_blocking, listed.is_destructive) == (True, False, True)
        assert await client.commands(["a"]) == [listed]
        assert await client.run_command("a", allow_blocking=True) == listed
    kinds = [kind for kind, _ in viewer.asked]
    assert kinds == ["list_commands", "describe_commands", "describe_commands", "run_command"]
    assert viewer.asked[1][1].ids == ["a"]
    assert viewer.asked[3][1].allow_blocking_native_modal is True


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.PERMISSION_DENIED])
async def test_a_refusal_has_the_status_and_the_reason(status: Status) -> None:
    with pytest.raises(ViewerError, match="get_state: because") as caught:
        await asked(lambda client: client.state(), "get_state", GRPCError(status, "because"))
    assert caught.value.status == status.name
    assert "because" in caught.value.message
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.status, str(again)) == (status.name, str(caught.value))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x1a\x03\x0a\x01\xff",
        b"\x08",
        b"\x1a" + b"\xff" * 11,
        bytes(messages.ViewerControlResponse(get_location=messages.GetLocationResponse(location="x"))),
    ],
    ids=["nothing", "no text", "cut off", "no number", "another kind"],
)
async def test_an_answer_that_is_none_is_an_error(raw: bytes) -> None:
    viewer = FakeViewer()
    viewer.answers["get_state"] = messages.GetStateResponse()
    viewer.raw = raw
    async with running(viewer) as client:
        with pytest.raises(ViewerError) as caught:
            await client.state()
    assert caught.value.status == "INTERNAL"


async def test_a_viewer_that_is_not_there_is_unavailable() -> None:
    async with ViewerClient(free_port(), timeout=5) as client:
        with pytest.raises(ViewerError) as caught:
            await client.state()
    assert caught.value.status == "UNAVAILABLE"
    assert client.url in str(caught.value)


async def test_a_viewer_that_does_not_answer_is_given_up() -> None:
    viewer = FakeViewer()
    viewer.answers["get_state"] = messages.GetStateResponse()
    viewer.waits.clear()
    async with running(viewer) as client:
        client._timeout = 0.2
        with pytest.raises(ViewerError, match="get_state: the viewer at .* within 0.2 s") as caught:
            await client.state()
        assert caught.value.status == "DEADLINE_EXCEEDED"
        # The connection is still good for another call.
        viewer.waits.set()
        client._timeout = 20
        await client.state()


async def test_a_cancelled_call_does_not_disturb_others() -> None:
    viewer = FakeViewer()
    viewer.answers["get_state"] = messages.GetStateResponse(location="x")
    viewer.waits.clear()
    async with running(viewer) as client:
        tasks = [asyncio.create_task(client.state()) for _ in range(10)]
        async with asyncio.timeout(20):
            while len(viewer.asked) < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        for task in tasks[::2]:
            task.cancel()
        viewer.waits.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5


async def test_a_lost_connection_is_made_again() -> None:
    viewer = FakeViewer()
    viewer.answers["get_state"] = messages.GetStateResponse()
    channels: list[Any] = []
    async with running(viewer) as client:
        for _ in range(3):
            await client.state()
            channels.append(client._channel)
            await client.state()
            channels.append(client._channel)
            channels[-1].close()
    assert channels[::2] == channels[1::2]
    assert len({id(channel) for channel in channels}) == 3
    assert len(viewer.asked) == 6


async def test_a_call_whose_connection_breaks_is_an_error() -> None:
    viewer = FakeViewer()
    viewer.waits.clear()
    async with running(viewer) as client:
        call = asyncio.create_task(client.state())
        async with asyncio.timeout(20):
            while not viewer.asked:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await client.aclose()
        with pytest.raises(ViewerError, match="broke") as caught:
            await call
    assert caught.value.status == "UNAVAILABLE"


def test_wrong_urls_are_refused_at_once() -> None:
    with pytest.raises(InvalidUrlError):
        ViewerClient("http://127.0.0.1:9876")
    with pytest.raises(ValueError, match="timeout"):
        ViewerClient(timeout=0)
    assert ViewerClient(1234).url == "rerun+http://127.0.0.1:1234/proxy"
    assert repr(ViewerClient("localhost/proxy")) == "ViewerClient('rerun+http://localhost:9876/proxy')"


async def test_a_spawned_viewer_ends_with_the_client_unless_it_is_detached(directory: Path) -> None:
    program = make_standin(directory / "rerun")
    async with await ViewerClient.spawn(headless=True, port=0, executable_path=program) as client:
        attached = client.viewer
        assert attached is not None
        assert attached.pid is not None
        assert is_alive(attached.pid)
        assert client.url == attached.url
    assert not is_alive(attached.pid)
    async with await ViewerClient.spawn(port=0, executable_path=program) as client:
        detached = client.viewer
    assert detached is not None
    assert detached.pid is not None
    assert is_alive(detached.pid)
    await client.quit()
    assert not is_alive(detached.pid)


async def test_spawning_without_a_program_is_an_error() -> None:
    with pytest.raises(ViewerNotFoundError):
        await ViewerClient.spawn(port=free_port(), executable_name="no-such-viewer")


def test_numbers_of_unknown_meaning_are_no_error() -> None:
    recording: Any = messages.ViewerRecording(play_state=messages.PlayState(77))
    assert answers._recording(recording).play_state is None
