"""Sending blueprints, in both APIs: order, defaults, what is counted, what is refused."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking_rr
from aiorerun import blueprint_sending, errors
from aiorerun.codec.decode_messages import StoreInfo, decode_message
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.rrd import RrdEncoder
from aiorerun.sinks.base import SinkGone
from aiorerun.types.store import StoreKind
from tests.reading import assert_verified, scalars_of
from tests.unit.codec.building import BLUEPRINT, messages_of, scalar_chunk, stream_of
from tests.unit.made_blueprints import MadeBlueprint, MadeView, Seen, seen, seen_messages, whole
from tests.unit.recording.making import everything
from tests.unit.test_stream import ListSink, check_invariant, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aiorerun.blueprint._rows import BlueprintRow
    from aiorerun.codec.messages import Message

INFO = Seen("info", "r")
A = Seen("chunk", "r", "/a")
B = Seen("chunk", "r", "/b")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mode of a new process, and no recording left behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    yield
    rr.set_global_data_recording(None)
    blocking_rr.set_global_data_recording(None)


class TestSendBlueprint:
    async def test_it_is_a_store_of_its_own_activated_last(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        rec = stream()
        await rec.save(path)
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        await rec.send_blueprint(MadeBlueprint())
        await rec.log("b", rr.Scalars(1.0))
        await rec.flush()
        await rec.send_blueprint(MadeView(), make_active=False)
        await rec.send_blueprint(MadeBlueprint(), make_default=False)
        await rec.disconnect()
        assert seen(path) == [
            INFO,
            A,
            *whole("b0", "active default"),
            B,
            *whole("b1", "default", "/view/alone"),
            *whole("b2", "active"),
        ]
        assert_verified([path])

    async def test_each_has_a_fresh_id_and_the_application_of_the_stream(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        rec = stream()
        await rec.save(path)
        blueprint = MadeBlueprint()
        await rec.send_blueprint(blueprint)
        await rec.send_blueprint(blueprint)
        await rec.disconnect()
        stores = blueprint_stores(path)
        assert len({store.recording_id for store in stores}) == 2
        assert all(store.recording_id.startswith("rec_") for store in stores)
        assert {store.application_id for store in stores} == {"app"}

    async def test_the_rows_are_counted(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.send_blueprint(MadeBlueprint())
        assert check_invariant(rec).rows_pending == 2
        await rec.set_sinks(sink, default_blueprint=MadeView())
        await rec.flush()
        stats = check_invariant(rec)
        assert (stats.rows_accepted, stats.rows_delivered, stats.chunks) == (3, 3, 2)
        assert stats.sinks[0].rows_written == 3
        await rec.disconnect()

    async def test_it_is_captured_at_the_call(self) -> None:
        rec, sink = stream(), ListSink()
        blueprint = MadeBlueprint("/viewport")
        await rec.send_blueprint(blueprint)
        blueprint.paths[:] = ["/changed"]
        await rec.set_sinks(sink)
        await rec.disconnect()
        assert seen_messages(sink.messages) == [INFO, *whole("b0", "active default", "/viewport")]

    async def test_what_is_no_blueprint_is_refused(self) -> None:
        rec = stream()
        for wrong in ("view", None, MadeView, rr.Scalars(1.0)):
            with pytest.raises(TypeError, match=r"send_blueprint: expected a Blueprint, a view"):
                await rec.send_blueprint(wrong)  # type: ignore[arg-type]
        assert rec.stats().rows_accepted == 0

    async def test_what_gives_no_blueprint_of_ours_is_refused(self) -> None:
        class Foreign:
            def to_blueprint(self) -> object:
                return object()

        with pytest.raises(TypeError, match=r"Foreign\.to_blueprint\(\) gave no Blueprint"):
            await stream().send_blueprint(Foreign())

    async def test_a_closed_stream_takes_none(self) -> None:
        rec = stream()
        await rec.aclose()
        with pytest.warns(rr.RerunWarning, match="closed"):
            await rec.send_blueprint(MadeBlueprint())
        rr.set_strict_mode(True)
        with pytest.raises(rr.StreamClosedError):
            await rec.send_blueprint(MadeBlueprint())

    async def test_a_disabled_stream_ignores_it(self) -> None:
        rec = stream(default_enabled=False)
        await rec.send_blueprint(MadeBlueprint())
        await rec.set_sinks(default_blueprint=MadeBlueprint())
        assert rec.stats().rows_accepted == 0

    async def test_over_the_limit_it_waits_for_room(self) -> None:
        rec, sink = stream(max_bytes_in_flight=4096, max_wait=20.0), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        many = MadeBlueprint(*(f"/view/{number}" for number in range(8)))
        await rec.send_blueprint(many)
        waiting = asyncio.create_task(rec.send_blueprint(MadeView()))
        await asyncio.sleep(0)
        assert not waiting.done()
        sink.open_gate.set()
        await waiting
        await rec.disconnect()
        assert check_invariant(rec).rows_delivered == 9

    async def test_over_the_limit_it_is_refused_at_last(self) -> None:
        rec, sink = stream(max_bytes_in_flight=4096, max_wait=0.0), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        await rec.send_blueprint(MadeBlueprint(*(f"/view/{number}" for number in range(8))))
        with pytest.warns(rr.RerunWarning, match="refused"):
            await rec.send_blueprint(MadeView())
        sink.open_gate.set()
        await rec.disconnect()
        stats = check_invariant(rec)
        assert (stats.rows_delivered, stats.rows_refused) == (8, 1)

    async def test_dropping_policies_spare_all_but_those_that_newer_ones_replace(self) -> None:
        rec = stream(max_bytes_in_flight=16 << 10, overflow="drop_oldest")
        sink = ListSink()
        await rec.set_sinks(sink)
        await rec.disconnect()
        # There is no sink now: what waits is bounded.
        for number in range(10):
            await rec.send_blueprint(MadeBlueprint(*(f"/view/{number}_{part}" for part in range(4))))
        await rec.send_blueprint(MadeView(), make_active=False)
        for _ in range(100):
            await rec.log("a", rr.TextDocument("x" * 1000))
        last = ListSink()
        await rec.set_sinks(last)
        await rec.disconnect()
        found = [each for each in seen_messages(last.messages) if each.store != "r"]
        # Of those that are alike the newest is there, whole and before the one that came after it.
        assert found[-9:] == [
            *whole(found[-9].store, "active default", *(f"/view/9_{part}" for part in range(4))),
            *whole(found[-1].store, "default", "/view/alone"),
        ]
        assert len([each for each in found if each.kind == "info"]) < 11
        stats = check_invariant(rec)
        assert stats.rows_dropped == sum(stats.reasons.values()) > 0

    async def test_a_large_one_stays_in_order(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        paths = [f"/view/{number}" for number in range(300)]
        await asyncio.gather(
            rec.send_blueprint(MadeBlueprint(*paths)), rec.send_blueprint(MadeBlueprint(*paths))
        )
        await rec.disconnect()
        expected = [*whole("b0", "active default", *paths), *whole("b1", "active default", *paths)]
        assert seen_messages(sink.messages) == [INFO, *expected]


def blueprint_stores(path: Path) -> list[Any]:
    """The blueprints that a file announces, in order."""
    decoded = [decode_message(raw.kind, raw.payload) for raw in iter_messages(path.read_bytes())]
    stores = [each.store for each in decoded if isinstance(each, StoreInfo)]
    return [store for store in stores if store.kind is StoreKind.BLUEPRINT]


class TestDefault:
    async def test_it_comes_before_everything_of_the_recording(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        rec = stream()
        await rec.log("a", rr.Scalars(1.0))
        await rec.send_blueprint(MadeView())
        await rec.save(path, default_blueprint=MadeBlueprint())
        await rec.disconnect()
        found = seen(path)
        assert found[:5] == [*whole("b0", "default"), INFO]
        assert [each for each in found[5:] if each.store != "r"] == whole(
            "b1", "active default", "/view/alone"
        )
        assert A in found
        assert_verified([path])

    async def test_every_new_sink_gets_it_and_former_ones_do_not(self) -> None:
        rec, old, first, second = stream(), ListSink(), ListSink(), ListSink()
        await rec.set_sinks(old)
        await rec.set_sinks(first, second, default_blueprint=MadeBlueprint())
        await rec.disconnect()
        assert seen_messages(old.messages) == [INFO]
        assert seen_messages(first.messages) == [*whole("b0", "default"), INFO]
        assert seen_messages(second.messages) == seen_messages(first.messages)
        stats = check_invariant(rec)
        assert (stats.rows_accepted, stats.rows_delivered) == (2, 2)

    async def test_without_a_sink_it_waits_for_the_first_one(self) -> None:
        rec, sink, later = stream(), ListSink(), ListSink()
        await rec.set_sinks(default_blueprint=MadeBlueprint())
        await rec.disconnect()
        await rec.set_sinks(sink)
        await rec.set_sinks(later)
        await rec.disconnect()
        assert seen_messages(sink.messages) == [*whole("b0", "default"), INFO]
        assert seen_messages(later.messages) == [INFO]

    async def test_if_the_sink_does_not_open_nothing_is_counted(self, tmp_path: Path) -> None:
        rec = stream()
        await rec.set_sinks(default_blueprint=MadeView())
        with pytest.raises(rr.SinkOpenError):
            await rec.save(tmp_path / "missing" / "a.rrd", MadeBlueprint())
        assert rec.stats().rows_accepted == 0
        # The one that waits goes on waiting; that of the call has failed with it.
        await rec.save(tmp_path / "a.rrd")
        await rec.disconnect()
        assert seen(tmp_path / "a.rrd")[:4] == [*whole("b0", "default", "/view/alone"), INFO]

    async def test_if_it_cannot_be_encoded_the_former_sinks_stay(self) -> None:
        class Wrong(MadeBlueprint):
            def _rows(self) -> Iterator[BlueprintRow]:
                for made in super()._rows():
                    yield made._replace(entity_path=3)  # type: ignore[arg-type]

        rec, sink, other = stream(), ListSink(), ListSink()
        await rec.set_sinks(sink)
        with pytest.raises(AttributeError):
            await rec.set_sinks(other, default_blueprint=Wrong())
        await rec.log("a", rr.Scalars(1.0))
        await rec.disconnect()
        assert seen_messages(sink.messages) == [INFO, A]
        assert other.messages == []
        assert check_invariant(rec).rows_delivered == 1

    async def test_what_is_none_is_refused(self, tmp_path: Path) -> None:
        rec = stream()
        wrong: Any = "view"
        with pytest.raises(TypeError, match="save: default_blueprint: expected"):
            await rec.save(tmp_path / "a.rrd", wrong)
        with pytest.raises(TypeError, match="set_sinks: default_blueprint: expected"):
            await rec.set_sinks(ListSink(), default_blueprint=wrong)
        with pytest.raises(TypeError, match="stdout: default_blueprint: expected"):
            await rec.stdout(wrong)
        with pytest.raises(TypeError, match="connect_grpc: default_blueprint: expected"):
            await rec.connect_grpc(default_blueprint=wrong)
        with pytest.raises(TypeError, match="serve_grpc: default_blueprint: expected"):
            await rec.serve_grpc(default_blueprint=wrong)
        with pytest.raises(TypeError, match="spawn: default_blueprint: expected"):
            await rec.spawn(default_blueprint=wrong)
        assert not (tmp_path / "a.rrd").exists()

    async def test_a_sink_that_goes_away_gives_it_to_the_next_one(self) -> None:
        class Gone(ListSink):
            async def write(self, messages: Sequence[Message]) -> None:
                raise SinkGone("nobody reads")

        rec, sink = stream(), ListSink()
        await rec.set_sinks(Gone(), default_blueprint=MadeBlueprint())
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        await rec.set_sinks(sink)
        await rec.disconnect()
        assert seen_messages(sink.messages) == [INFO, *whole("b0", "default"), A]
        assert check_invariant(rec).rows_delivered == 3

    async def test_memory_hands_it_on(self, tmp_path: Path) -> None:
        rec = stream()
        await rec.set_sinks(default_blueprint=MadeBlueprint())
        memory = await rec.memory_recording()
        await rec.log("a", rr.Scalars(1.0))
        assert await memory.num_msgs() == 7
        await rec.save(tmp_path / "a.rrd")
        await rec.disconnect()
        found = seen(tmp_path / "a.rrd")
        assert [each for each in found if each.store != "r"] == whole("b0", "default")
        assert A in found

    async def test_files_that_are_forced_take_no_default_of_other_sinks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(tmp_path / "forced.rrd"))
        rec = stream()
        await rec.save(tmp_path / "other.rrd", MadeBlueprint())
        await rec.send_blueprint(MadeView())
        await rec.disconnect()
        assert seen(tmp_path / "forced.rrd") == [INFO, *whole("b0", "active default", "/view/alone")]


class TestModule:
    async def test_init_keeps_it_for_the_first_sink(self, tmp_path: Path) -> None:
        await rr.init("app", recording_id="kept", default_blueprint=MadeView(), send_properties=False)
        await rr.log("a", rr.Scalars(1.0))
        await rr.save(tmp_path / "a.rrd")
        await rr.disconnect()
        found = seen(tmp_path / "a.rrd")
        assert found == [*whole("b0", "default", "/view/alone"), INFO, A]

    async def test_a_sink_with_another_one_wins(self, tmp_path: Path) -> None:
        await rr.init("app", recording_id="kept", default_blueprint=MadeView(), send_properties=False)
        await rr.save(tmp_path / "a.rrd", MadeBlueprint())
        await rr.save(tmp_path / "b.rrd")
        await rr.disconnect()
        assert seen(tmp_path / "a.rrd") == [*whole("b0", "default"), INFO]
        assert seen(tmp_path / "b.rrd") == [INFO]

    async def test_init_refuses_what_is_none_before_it_does_anything(self) -> None:
        with pytest.raises(TypeError, match="init: default_blueprint: expected"):
            await rr.init("app", default_blueprint="view")  # type: ignore[arg-type]
        assert rr.get_data_recording() is None

    async def test_disabled_recordings_keep_none(self) -> None:
        await rr.init("app", default_enabled=False, default_blueprint=MadeView())
        rec = rr.get_data_recording()
        assert rec is not None
        assert rec._default_blueprint is None

    async def test_set_sinks_and_send(self) -> None:
        sink = ListSink()
        await rr.init("app", recording_id="both", send_properties=False)
        await rr.set_sinks(sink, default_blueprint=MadeBlueprint())
        await rr.send_blueprint(MadeView(), make_default=False)
        await rr.disconnect()
        assert seen_messages(sink.messages) == [
            *whole("b0", "default"),
            INFO,
            *whole("b1", "active", "/view/alone"),
        ]

    async def test_without_a_recording(self) -> None:
        with pytest.warns(rr.RerunWarning, match="no recording is active"):
            await rr.send_blueprint(MadeView())
        with pytest.raises(TypeError, match="expected"):
            await rr.send_blueprint("view")  # type: ignore[arg-type]
        rr.set_strict_mode(True)
        with pytest.raises(ValueError, match="no recording is active"):
            await rr.send_blueprint(MadeView())

    async def test_scripts_pass_it_on(self, tmp_path: Path) -> None:
        parser = argparse.ArgumentParser()
        rr.script_add_args(parser)
        path = tmp_path / "a.rrd"
        await rr.script_setup(
            parser.parse_args(["--save", str(path)]), "app", recording_id="s", default_blueprint=MadeView()
        )
        await rr.disconnect()
        assert seen(path)[:4] == [*whole("b0", "default", "/view/alone"), INFO]


class TestOutOfAFile:
    async def test_it_is_sent_to_the_streams_application(self, tmp_path: Path) -> None:
        source, path = tmp_path / "all.rrd", tmp_path / "a.rrd"
        source.write_bytes(everything())
        [stored] = (await rr.recording.load_archive(source)).all_blueprints()
        rec = rr.AsyncRecordingStream("other app", recording_id="r", send_properties=False)
        await rec.save(path, default_blueprint=stored)
        await rec.send_blueprint(stored)
        await rec.disconnect()
        assert seen(path) == [
            *whole("b0", "default", "/view"),
            INFO,
            *whole("b1", "active default", "/view"),
        ]
        assert {store.application_id for store in blueprint_stores(path)} == {"other app"}
        assert check_invariant(rec).rows_delivered == 2
        [read, _] = (await rr.recording.load_archive(path)).all_blueprints()
        before, after = await stored.to_table(), await read.to_table()
        assert before == after
        assert_verified([path])

    async def test_a_recording_is_refused(self, tmp_path: Path) -> None:
        source = tmp_path / "all.rrd"
        source.write_bytes(everything())
        archive = await rr.recording.load_archive(source)
        rec = stream()
        with pytest.raises(ValueError, match=r"is a recording, not a blueprint; send it with send_recording"):
            await rec.send_blueprint(archive.all_recordings()[0])
        with pytest.raises(ValueError, match="not a blueprint"):
            await rec.set_sinks(default_blueprint=archive.all_recordings()[0])

    async def test_of_a_damaged_one_nothing_is_sent(self, tmp_path: Path) -> None:
        source = tmp_path / "a.rbl"
        good = stream_of(messages_of(scalar_chunk("/view"), store=BLUEPRINT))
        source.write_bytes(good)
        [stored] = (await rr.recording.load_archive(source)).all_blueprints()
        source.write_bytes(good.replace(b"ARROW1", b"ARROX1")[:200])
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        with pytest.raises(rr.RrdError):
            await rec.send_blueprint(stored)
        with pytest.raises(rr.RrdError):
            await rec.set_sinks(ListSink(), default_blueprint=stored)
        await rec.disconnect()
        assert seen_messages(sink.messages) == [INFO]
        assert rec.stats().rows_accepted == 0

    def test_in_the_blocking_api(self, tmp_path: Path) -> None:
        source, path = tmp_path / "all.rrd", tmp_path / "a.rrd"
        source.write_bytes(everything())
        [stored] = blocking_rr.recording.load_archive(source).all_blueprints()
        rec = blocking_rr.RecordingStream("app", recording_id="r", send_properties=False)
        rec.save(path)
        rec.send_blueprint(stored, make_active=False)
        rec.close()
        assert seen(path) == [INFO, *whole("b0", "default", "/view")]


class TestBlocking:
    def test_everything(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        blocking_rr.init("app", recording_id="r", default_blueprint=MadeView(), send_properties=False)
        blocking_rr.send_blueprint(MadeBlueprint(), make_active=False)
        blocking_rr.save(path)
        blocking_rr.log("a", blocking_rr.Scalars(1.0))
        blocking_rr.flush()
        blocking_rr.set_sinks(blocking_rr.FileSink(tmp_path / "b.rrd"), default_blueprint=MadeBlueprint())
        blocking_rr.disconnect()
        assert seen(path) == [*whole("b0", "default", "/view/alone"), INFO, *whole("b1", "default"), A]
        assert seen(tmp_path / "b.rrd") == [*whole("b0", "default"), INFO]
        assert scalars_of(path, "/a") == [1.0]

    def test_what_is_refused(self, tmp_path: Path) -> None:
        rec = blocking_rr.RecordingStream("app", recording_id="r")
        wrong: Any = "view"
        with pytest.raises(TypeError, match="send_blueprint: expected"):
            rec.send_blueprint(wrong)
        for call in (
            lambda: rec.save(tmp_path / "a.rrd", wrong),
            lambda: rec.stdout(wrong),
            lambda: rec.set_sinks(default_blueprint=wrong),
            lambda: rec.connect_grpc(default_blueprint=wrong),
            lambda: rec.serve_grpc(default_blueprint=wrong),
            lambda: rec.spawn(default_blueprint=wrong),
            lambda: blocking_rr.init("app", default_blueprint=wrong),
        ):
            with pytest.raises(TypeError, match="default_blueprint: expected"):
                call()
        rec.close()
        with pytest.warns(rr.RerunWarning, match="closed"):
            rec.send_blueprint(MadeView())
        with pytest.warns(rr.RerunWarning, match="no recording is active"):
            blocking_rr.send_blueprint(MadeView())

    def test_scripts_pass_it_on(self, tmp_path: Path) -> None:
        parser = argparse.ArgumentParser()
        blocking_rr.script_add_args(parser)
        path = tmp_path / "a.rrd"
        blocking_rr.script_setup(
            parser.parse_args(["--save", str(path)]), "app", recording_id="s", default_blueprint=MadeView()
        )
        blocking_rr.disconnect()
        assert seen(path)[:4] == [*whole("b0", "default", "/view/alone"), INFO]


def test_a_job_makes_the_same_messages_each_time() -> None:
    job = blueprint_sending.capture("f", MadeBlueprint(), "app", make_active=True, make_default=False)
    first, second = job(), job()
    assert [message.store for message in first] == [job.store] * 5
    assert seen_messages(first) == seen_messages(second) == whole("b0", "active")
    assert sum(message.rows for message in first) == job.rows == 2
    # Each can be written by itself.
    assert b"".join(map(bytes, RrdEncoder().encode(first[0])))
