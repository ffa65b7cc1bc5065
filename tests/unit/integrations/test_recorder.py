"""What stands in the recording of requests: scopes, rates, samples, failures, and no secrets."""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware, request_stats
from aiorerun.testing import CaptureSink
from tests.asgi import drive, http_scope, until
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "very-Secret.value42"


class Recorded:
    """A recording with a sink that keeps its rows."""

    def __init__(self, rec: rr.AsyncRecordingStream, sink: CaptureSink) -> None:
        self.rec = rec
        self.sink = sink

    async def requests(self) -> list[Any]:
        return [row for row in await self.sink.rows() if row.entity_path.startswith("/http/requests/")]

    async def texts(self) -> list[str]:
        return [row["text"][0] for row in await self.sink.rows("http/log")]


@pytest.fixture
async def recorded() -> AsyncIterator[Recorded]:
    async with rr.AsyncRecordingStream("requests") as rec:
        sink = CaptureSink()
        await rec.set_sinks(sink)
        yield Recorded(rec, sink)


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("this is broken")


async def test_what_is_logged_in_a_request_has_its_number(recorded: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await rr.log("inside", rr.TextLog(scope["path"]))
        await asyncio.create_task(rr.log("inside", rr.TextLog(scope["path"])))
        await asyncio.to_thread(rr.log_nowait, "inside", rr.TextLog(scope["path"]))
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec)
    for path in ("/a", "/b"):
        await drive(wrapped, http_scope(path))

    inside = [(row["text"][0], row.times["request"]) for row in await recorded.sink.rows("inside")]
    numbers = {
        row.entity_path[len("/http/requests") :][:2]: row.times["request"]
        for row in await recorded.requests()
    }
    assert numbers["/a"] + 1 == numbers["/b"]
    assert inside == [(path, numbers[path]) for path in ("/a", "/b") for _ in range(3)]


async def test_a_task_that_goes_on_has_its_times_back(recorded: Recorded) -> None:
    """As with servers that handle the requests of a connection one after the other in one task."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        recorded.rec.set_time("step", sequence=99)
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec)
    recorded.rec.set_time("mine", sequence=1)

    async def nothing() -> dict[str, Any]:
        return {}

    async def send(message: Any) -> None:
        pass

    await wrapped(http_scope("/a"), nothing, send)
    assert rr.get_data_recording() is recorded.rec
    await recorded.rec.log("after", rr.TextLog("after"))

    (after,) = await recorded.sink.rows("after")
    (request,) = await recorded.requests()
    assert after.times == {"mine": 1}
    assert set(request.times) == {"mine", "request"}


async def test_the_recording_is_active_in_the_request_only(recorded: Recorded) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(rr.get_data_recording())
        raise RuntimeError

    other = rr.AsyncRecordingStream("other")
    wrapped = RerunMiddleware(app, recording=other)
    with pytest.raises(RuntimeError):
        await wrapped(http_scope("/a"), None, None)  # type: ignore[arg-type] # never used

    assert seen == [other]
    assert rr.get_data_recording() is recorded.rec


async def test_durations_end_with_the_response(recorded: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await ok(scope, receive, send)
        await asyncio.sleep(0.3)

    await drive(RerunMiddleware(app, recording=recorded.rec), http_scope("/a"))

    (row,) = await recorded.requests()
    assert 0 <= row["first_byte"][0] <= row["scalars"][0] < 250


async def test_excluded_paths_pass_untouched(recorded: Recorded) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send)
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec, exclude=["/health"])

    async def send(message: Any) -> None:
        pass

    await wrapped(http_scope("/health"), None, send)  # type: ignore[arg-type] # never used
    assert seen == [send]
    await drive(wrapped, http_scope("/other"))
    assert len(await recorded.requests()) == 1
    assert (wrapped.stats.excluded, wrapped.stats.seen) == (1, 1)


async def test_samples_leave_failures_in(recorded: Recorded) -> None:
    for app in (ok, broken):
        wrapped = RerunMiddleware(app, recording=recorded.rec, sample=0.0)
        for _ in range(3):
            await drive(wrapped, http_scope("/a"))
        await wrapped._recorder.settle()
        assert wrapped.stats.not_sampled == (3 if app is ok else 0)
        assert wrapped.stats.recorded == (0 if app is ok else 3)

    assert [row["status"] for row in await recorded.requests()] == [[500]] * 3


async def test_samples_by_function(recorded: Recorded) -> None:
    wrapped = RerunMiddleware(ok, recording=recorded.rec, sample=lambda scope: float(scope["path"] == "/a"))
    for path in ("/a", "/b", "/a"):
        await drive(wrapped, http_scope(path))

    assert len(await recorded.sink.rows("http/requests/a/GET")) == 2
    assert len(await recorded.requests()) == 2


async def test_rates(recorded: Recorded) -> None:
    release = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/long":
            scope["route"] = type("Route", (), {"path": "/long", "endpoint": None})
            await release.wait()
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec, rate_interval=0.05)
    long = asyncio.create_task(drive(wrapped, http_scope("/long")))
    await asyncio.gather(*(drive(wrapped, http_scope("/short")) for _ in range(10)))

    async def rows(path: str, wanted: int) -> list[float]:
        async def enough() -> list[Any]:
            found = await recorded.sink.rows(path)
            return found if len(found) >= wanted else []

        found = await until(enough)
        assert all(row.times == {} for row in found)
        return [row["scalars"][0] for row in found]

    # While it runs it counts, though nothing ends.
    assert 0.5 < (await rows("http/concurrency/long/GET", 3))[1] < 1.01
    assert (await rows("http/rate/long/GET", 2))[:2] == [0.0, 0.0]
    rate = await rows("http/rate/short/GET", 2)
    assert rate[0] > 10
    assert rate[-1] == 0
    release.set()
    await long

    async def is_over() -> bool:
        return wrapped._recorder.timer is None

    # Nothing is left of it when nothing happens.
    await until(is_over)
    assert (await rows("http/concurrency/long/GET", 4))[-1] == 0


async def test_failures_are_told_with_tracebacks_in_the_scope_of_the_request(recorded: Recorded) -> None:
    wrapped = RerunMiddleware(broken, recording=recorded.rec)
    # The first time the source has to be read, in a thread.
    linecache.clearcache()
    for _ in range(2):
        await drive(wrapped, http_scope("/a"))
    await wrapped._recorder.settle()

    texts = await recorded.texts()
    assert len(texts) == 2
    for text in texts:
        assert text.startswith(
            "GET /a: 500 RuntimeError: this is broken\nTraceback (most recent call last):\n"
        )
        assert 'raise RuntimeError("this is broken")' in text
    numbers = [row.times for row in await recorded.requests()]
    assert sorted(str(row.times) for row in await recorded.sink.rows("http/log")) == sorted(map(str, numbers))


async def test_answers_with_errors_are_told(recorded: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body"})

    await drive(RerunMiddleware(app, recording=recorded.rec), http_scope("/a"))

    assert await recorded.texts() == ["GET /a: 503"]


async def test_tracebacks_can_be_left_out(recorded: Recorded) -> None:
    await drive(RerunMiddleware(broken, recording=recorded.rec, tracebacks=False), http_scope("/a"))

    assert await recorded.texts() == ["GET /a: 500 RuntimeError"]


async def test_many_failures_at_once_are_all_told(recorded: Recorded) -> None:
    wrapped = RerunMiddleware(broken, recording=recorded.rec)
    linecache.clearcache()
    await asyncio.gather(*(drive(wrapped, http_scope("/a")) for _ in range(100)))
    await wrapped._recorder.settle()

    assert len(await recorded.texts()) == 100


def secret_scope() -> dict[str, Any]:
    return http_scope(
        f"/reset/{SECRET}",
        query_string=f"page=1&token={SECRET}".encode(),
        headers=[
            (b"authorization", f"Bearer {SECRET}".encode()),
            (b"cookie", f"theme=dark; sid={SECRET}".encode()),
            (b"x-api-key", SECRET.encode()),
        ],
    )


async def leaky(scope: Any, receive: Any, send: Any) -> None:
    """Puts all it knows into an exception, and answers with a secret."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"set-cookie", f"sid={SECRET}; Path=/".encode())],
        }
    )
    await send({"type": "http.response.body", "body": f'{{"token": "{SECRET}"}}'.encode()})
    raise RuntimeError(f"{scope['headers']} {scope['query_string']} and {SECRET}") from ValueError(SECRET)


@pytest.mark.parametrize(
    "options", [{}, {"headers": True, "query": True, "bodies": 1000}], ids=["default", "details"]
)
async def test_secrets_are_nowhere_in_the_bytes(options: dict[str, Any]) -> None:
    async with rr.AsyncRecordingStream("secrets") as rec:
        memory = await rec.memory_recording()
        wrapped = RerunMiddleware(leaky, recording=rec, **options)
        await drive(wrapped, secret_scope())
        await wrapped._recorder.settle()
        data = await memory.drain_as_bytes()

    # Compressed or not.
    plain = repr(rows_of(data)).encode()
    assert b"RuntimeError" in plain
    for searched in (data, plain):
        assert SECRET.encode() not in searched
        assert b"sid=" not in searched


async def test_details(recorded: Recorded) -> None:
    wrapped = RerunMiddleware(ok, recording=recorded.rec, headers=True, bodies=10, query=True)
    await drive(wrapped, http_scope("/a", query_string=b"page=2"))

    (row,) = await recorded.sink.rows("http/details/a/GET")
    assert row["text"][0].splitlines() == [
        "GET /a 200", "query: page=2", "request headers:", "  host: test", "response body:", "ok",
    ]  # fmt: skip


async def test_without_a_recording_nothing_happens() -> None:
    wrapped = RerunMiddleware(ok)
    transcript = await drive(wrapped, http_scope("/a"))

    assert len(transcript.sent) == 2
    assert wrapped.stats.excluded == 1


async def test_a_closed_recording_does_not_matter(recorded: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await recorded.rec.aclose()
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec)
    for _ in range(2):
        await drive(wrapped, http_scope("/a"))

    assert (wrapped.stats.not_recorded, wrapped.stats.excluded) == (1, 1)


async def test_errors_of_our_own_stay_with_us(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    def fail(scope: Any) -> float:
        raise ZeroDivisionError("in the sample")

    wrapped = RerunMiddleware(ok, recording=recorded.rec, sample=fail)
    for _ in range(3):
        transcript = await drive(wrapped, http_scope("/a"))
        assert transcript.error is None
    await recorded.rec.flush()

    assert wrapped.stats.not_recorded == 3
    assert caplog.text.count("a request could not be recorded") == 1


async def test_all_requests_are_accounted_for(recorded: Recorded) -> None:
    before = request_stats()
    wrapped = RerunMiddleware(ok, recording=recorded.rec, rate_interval=0)
    accepted = recorded.rec.stats().rows_accepted
    for _ in range(20):
        await drive(wrapped, http_scope("/a"))
    await recorded.rec.flush()

    stats = recorded.rec.stats()
    assert stats.rows_accepted - accepted == wrapped.stats.recorded == 20
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending
    assert request_stats().recorded - before.recorded == 20


async def test_requests_of_middlewares_that_are_no_more_still_count(recorded: Recorded) -> None:
    gc.collect()
    before = request_stats()
    wrapped = RerunMiddleware(ok, recording=recorded.rec, rate_interval=0)
    for _ in range(3):
        await drive(wrapped, http_scope("/a"))
    # No timer waits with it any more, nor does the recording.
    await wrapped._recorder.settle()
    assert recorded.rec._engine.before_cut == []
    recorder = weakref.ref(wrapped._recorder)
    del wrapped
    gc.collect()

    assert recorder() is None
    after = request_stats()
    assert (after.recorded - before.recorded, after.seen - before.seen) == (3, 3)


async def test_counters_are_read_in_any_thread(recorded: Recorded) -> None:
    """Threads have no event loop: what they would hand in would be lost."""
    wrapped = RerunMiddleware(ok, recording=recorded.rec, rate_interval=0)
    for number in range(20):
        await drive(wrapped, http_scope("/a"))
        stats = await asyncio.to_thread(lambda: wrapped.stats)
        assert (stats.seen, stats.recorded, stats.in_progress) == (number + 1, number + 1, 0)
    # Those that are handed in, and wait with others.
    wrapped._recorder.hand_in()
    assert (await asyncio.to_thread(lambda: wrapped.stats)).recorded == 20
    assert wrapped.stats.recorded == len(await recorded.requests()) == 20


async def test_counters_read_meanwhile_do_not_touch_failures(recorded: Recorded) -> None:
    wrapped = RerunMiddleware(broken, recording=recorded.rec, rate_interval=0, tracebacks=False)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            wrapped._recorder._hand_in_last()
            assert wrapped.stats.not_recorded == 0

    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    asking = [asyncio.create_task(asyncio.to_thread(ask)) for _ in range(2)]
    try:
        for _ in range(100):
            done = await asyncio.gather(*(drive(wrapped, http_scope("/a")) for _ in range(5)))
            assert {type(each.error) for each in done} == {RuntimeError}
    finally:
        sys.setswitchinterval(former)
        stop.set()
        await asyncio.gather(*asking)

    assert [row["failed"] for row in await recorded.requests()] == [[True]] * 500


async def test_the_application_gets_its_exception_whatever_happens_here(recorded: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        wrapped._recorder.recent.clear()
        raise RuntimeError("mine")

    wrapped = RerunMiddleware(app, recording=recorded.rec)
    transcript = await drive(wrapped, http_scope("/a"))

    assert str(transcript.error) == "mine"


@pytest.mark.parametrize("rate_interval", [0, 0.05])
async def test_a_recording_lets_go_of_middlewares_that_are_no_more(
    recorded: Recorded, rate_interval: float
) -> None:
    wrapped = RerunMiddleware(ok, recording=recorded.rec, rate_interval=rate_interval)
    await drive(wrapped, http_scope("/a"))
    assert len(recorded.rec._engine.before_cut) == 1
    # What waits for its row is not lost with it.
    held = weakref.ref(wrapped._recorder)
    del wrapped
    gc.collect()
    assert len(await recorded.requests()) == 1

    async def is_gone() -> bool:
        # Timers hold it for a moment, as long as there are rates to tell.
        gc.collect()
        return held() is None

    await until(is_gone)
    assert recorded.rec._engine.before_cut == []


@pytest.mark.may_block
def test_timers_go_on_with_the_next_loop() -> None:
    """As where a test client runs each request, or a program one server after another."""
    rec = rr.AsyncRecordingStream("loops")
    wrapped = RerunMiddleware(ok, recording=rec, rate_interval=0.05)

    async def ends_early() -> None:
        await drive(wrapped, http_scope("/a"))

    async def lasts() -> None:
        sink = CaptureSink()
        await rec.set_sinks(sink)
        await drive(wrapped, http_scope("/b"))

        async def has_rates() -> bool:
            return len(await sink.rows("http/rate/b/GET")) > 1

        await until(has_rates)
        assert wrapped._recorder.loop is asyncio.get_running_loop()
        assert not [each for each in wrapped._recorder.recent if each.ended_ns]
        await rec.disconnect()

    asyncio.run(ends_early())
    asyncio.run(lasts())
    asyncio.run(ends_early())
    asyncio.run(lasts())
    asyncio.run(rec.aclose())
    assert wrapped.stats.recorded == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.may_block
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_does_not_record_the_requests_of_its_parent(recorded: Recorded) -> None:
    release = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/long":
            await release.wait()
        await ok(scope, receive, send)

    wrapped = RerunMiddleware(app, recording=recorded.rec)
    long = asyncio.create_task(drive(wrapped, http_scope("/long")))
    for _ in range(20):
        await drive(wrapped, http_scope("/a"))
    recorder = wrapped._recorder
    recorder.hand_in()
    assert recorder._buffers
    assert recorder.long
    with recorder._lock:
        pid = os.fork()
        if not pid:
            left = recorder.recent or recorder.long or recorder._buffers or recorded.rec._engine.before_cut
            seen = asyncio.run(_stats_in_child(wrapped))
            os._exit(1 if left or seen else 0)
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    release.set()
    await long
    assert len(await recorded.requests()) == 21


async def _stats_in_child(wrapped: RerunMiddleware) -> int:
    wrapped._recorder.push()
    return wrapped.stats.seen + request_stats().seen


async def test_an_overflowing_recording_holds_nobody_up() -> None:
    blocked = asyncio.Event()

    class Stuck(CaptureSink):
        async def write(self, messages: Any) -> None:
            await blocked.wait()

    rec = rr.AsyncRecordingStream(
        "full", max_bytes_in_flight=64 << 10, overflow="drop_oldest", close_timeout=0.1
    )
    sink = Stuck()
    sink.is_memory = False
    await rec.set_sinks(sink)
    wrapped = RerunMiddleware(ok, recording=rec, rate_interval=0)
    for _ in range(50):
        await asyncio.gather(*(drive(wrapped, http_scope("/a")) for _ in range(100)))
    assert wrapped.stats.recorded == 5000
    stats = rec.stats()

    assert stats.rows_accepted == 5001
    assert stats.rows_dropped > 1000
    assert stats.pending_bytes < 256 << 10
    blocked.set()
    await rec.aclose()
    stats = rec.stats()
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped


@pytest.mark.parametrize("inner_options", [{}, {"headers": True}], ids=["plain", "details"])
async def test_a_client_that_is_gone_is_no_failure_within_another_middleware(
    recorded: Recorded, inner_options: dict[str, Any]
) -> None:
    inner = RerunMiddleware(ok, recording=recorded.rec, entity_path="inner", **inner_options)
    middle = RerunMiddleware(inner, recording=recorded.rec, entity_path="middle", headers=True)
    outer = RerunMiddleware(middle, recording=recorded.rec, entity_path="outer")
    await drive(outer, http_scope("/a"), fail_at="http.response.body")

    for path in ("inner", "middle", "outer"):
        (row,) = await recorded.sink.rows(f"{path}/requests/a/GET")
        assert (row["failed"], row["client_disconnected"]) == ([False], [True])
