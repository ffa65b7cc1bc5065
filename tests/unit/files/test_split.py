"""One file becomes several that are complete in themselves, and one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import blueprint_activation_message
from aiorerun.files import split
from aiorerun.files.merge import merge
from aiorerun.files.split import SplitOptions, split_by_size
from aiorerun.files.split_time import Between, Every, split_by_time
from aiorerun.sync import recording as reading
from aiorerun.types.store import StoreKind
from aiorerun.types.timeline import Timeline, TimelineKind
from tests.reading import rows_of
from tests.unit.codec.building import (
    BLUEPRINT,
    FRAME,
    SCALARS,
    announcement,
    chunk,
    component,
    index,
    messages_of,
    stream_of,
)
from tests.unit.files.making import assert_footer_is_right, chunk_payloads, payloads, scalars
from tests.unit.recording.making import OTHER, everything

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.files.split import Part
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId

PROPERTIES = chunk("/__properties", 1, [], [component("name", [["n"]], pa.string())])
STATIC = chunk("/static", 1, [], [component(SCALARS, [[7.0]], pa.float64())])


def recording(
    folder: Path, *made: Chunk, name: str = "rec.bin", others: Sequence[StoreId] = (OTHER,)
) -> Path:
    """A file with static data between other data, a blueprint, and mostly a second recording."""
    path = folder / name
    messages = [
        *messages_of(scalars("/view", [0]), store=BLUEPRINT),
        blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True),
        *messages_of(*made[:2], STATIC, *made[2:], PROPERTIES),
        announcement(),
        *(message for other in others for message in messages_of(scalars("/other", [1, 2]), store=other)),
    ]
    path.write_bytes(stream_of(messages))
    return path


def many(count: int = 30) -> list[Chunk]:
    return [scalars(f"/e{number % 3}", list(range(number * 10, number * 10 + 10))) for number in range(count)]


def check_parts(path: Path, parts: list[Part], folder: Path) -> None:
    """Each part begins as it should; together they have everything, once."""
    assert [part.path for part in parts] == sorted(folder.iterdir())
    for part in parts:
        data = part.path.read_bytes()
        assert (part.nbytes, part.chunks) == (len(data), len(chunk_payloads(data)))
        assert_footer_is_right(part.path)
        with reading.load_archive(part.path) as archive:
            for each in archive.all_recordings():
                if each.recording_id() == "demo":
                    assert {"/static", "/__properties"} <= set(each.entities())
            assert archive.num_blueprints() == 1
        kinds = [kind for kind, _ in payloads(data)]
        # The blueprint and the command to use it, then the recording: announcement, properties, static data.
        assert kinds[:4] == [MessageKind.SET_STORE_INFO, 2, 3, MessageKind.SET_STORE_INFO]
    rows = [row for part in parts for row in rows_of(part.path)]
    before = rows_of(path)
    assert {row.row_id for row in rows} == {row.row_id for row in before}
    temporal = [row.row_id for row in rows if row.times and row.path != "/view"]
    assert (
        len(temporal)
        == len(set(temporal))
        == len([row for row in before if row.times and row.path != "/view"])
    )


def test_parts_by_size(tmp_path: Path) -> None:
    made = many()
    path, folder = recording(tmp_path, *made), tmp_path / "parts"
    parts = split_by_size(path, folder, 20_000)
    check_parts(path, parts, folder)
    assert 2 < len(parts) < 30
    assert all(part.nbytes <= 20_000 for part in parts)
    assert parts[0].path.name == "rec_0000.rrd"
    merge([part.path for part in parts], tmp_path / "again.bin")
    again = (tmp_path / "again.bin").read_bytes()
    assert sorted(chunk_payloads(again)) == sorted(chunk_payloads(path.read_bytes()))


def test_a_part_has_one_chunk_at_least(tmp_path: Path) -> None:
    parts = split_by_size(recording(tmp_path, *many(5)), tmp_path / "parts", 1)
    # The second recording is one chunk too.
    assert len(parts) == 6


def test_everything_in_one_part(tmp_path: Path) -> None:
    path = tmp_path / "all.bin"
    path.write_bytes(everything())
    (part,) = split_by_size(path, tmp_path / "parts", 1 << 30)
    assert sorted(payloads(part.path.read_bytes())) == sorted(payloads(path.read_bytes()))


def test_what_has_no_times_is_in_the_first_part(tmp_path: Path) -> None:
    path = tmp_path / "static.bin"
    path.write_bytes(
        stream_of([*messages_of(STATIC), *messages_of(STATIC, store=OTHER), announcement(BLUEPRINT)])
    )
    (part,) = split_by_size(path, tmp_path / "parts", 10)
    assert part.chunks == 2
    assert len(payloads(part.path.read_bytes())) == 5


@pytest.mark.parametrize("every", [7, 100, 1000])
def test_parts_by_time(tmp_path: Path, every: int) -> None:
    made = many(12)
    path, folder = recording(tmp_path, *made), tmp_path / "parts"
    parts = split_by_time(path, folder, "frame", lambda kind: Every(every))
    assert len(parts) == -(-120 // every)
    check_parts(path, parts, folder)
    for number, part in enumerate(parts):
        frames = [row.times["frame"] for row in rows_of(part.path) if row.times and row.path != "/view"]
        assert frames
        assert {frame // every for frame in frames} == {number}


def test_chunks_that_are_not_divided_stay_as_they_are(tmp_path: Path) -> None:
    made = many(10)
    path = recording(tmp_path, *made)
    parts = split_by_time(path, tmp_path / "parts", "frame", lambda kind: Every(50))
    merge([part.path for part in parts], tmp_path / "again.bin")
    assert sorted(chunk_payloads((tmp_path / "again.bin").read_bytes())) == sorted(
        chunk_payloads(path.read_bytes())
    )


def test_rows_in_any_order_go_where_they_belong(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(-50, 50, 200).tolist()
    path = recording(tmp_path, scalars("/a", frames))
    parts = split_by_time(path, tmp_path / "parts", "frame", lambda kind: Between([10, -10]))
    assert len(parts) == 3
    check_parts(path, parts, tmp_path / "parts")
    for part, (low, high) in zip(parts, [(-99, -10), (-10, 10), (10, 99)], strict=True):
        found = [row.times["frame"] for row in rows_of(part.path) if row.path == "/a"]
        assert found == [frame for frame in frames if low <= frame < high]


def test_types_that_cannot_be_brought_together_are_cut_into_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoFilter:
        """A batch of a type that Arrow does not filter."""

        def __init__(self, batch: Any) -> None:
            self.batch = batch

        def __getattr__(self, name: str) -> Any:
            return getattr(self.batch, name)

        def filter(self, mask: object) -> object:
            raise pa.ArrowNotImplementedError("no kernel")

    from aiorerun.codec.chunk_arrow import to_record_batch
    from aiorerun.files.divide import divided

    batch = to_record_batch(scalars("/a", [1, 2, 3, 4, 5]))
    chosen = np.array([True, True, False, True, False])
    found = list(divided(NoFilter(batch), chosen))
    assert [each.num_rows for each in found] == [2, 1]
    assert list(divided(batch, np.zeros(5, np.bool_))) == []
    (whole,) = divided(batch, chosen)
    assert whole.column("frame").to_pylist() == [1, 2, 4]
    assert len({each.schema.metadata[b"rerun:id"] for each in (batch, whole, *found)}) == 4


def test_rows_that_are_not_on_the_timeline_are_in_the_first_part(tmp_path: Path) -> None:
    clock = Timeline("clock", TimelineKind.TIMESTAMP)
    aside = chunk("/aside", 1, [index(clock, [5])], [component(SCALARS, [[1.0]], pa.float64())])
    path = recording(tmp_path, *many(3), aside)
    parts = split_by_time(path, tmp_path / "parts", "frame", lambda kind: Every(10))
    found = [[row.path for row in rows_of(part.path) if row.path == "/aside"] for part in parts]
    assert found == [["/aside"], [], []]


def ids_of(part: Part) -> set[str]:
    with reading.load_archive(part.path) as archive:
        assert archive.all_blueprints()[0].recording_id() == BLUEPRINT.recording_id
        return {each.recording_id() for each in archive.all_recordings()}


def test_recordings_of_parts_get_ids_of_their_own(tmp_path: Path) -> None:
    path = recording(tmp_path, *many(4), others=[])
    options = SplitOptions(recording_id="part-")
    for parts in (
        split_by_size(path, tmp_path / "sized", 1, options),
        split_by_time(path, tmp_path / "timed", "frame", lambda kind: Every(15), options),
    ):
        for number, part in enumerate(parts):
            assert_footer_is_right(part.path)
            assert ids_of(part) == {f"part-{number}"}


def test_several_recordings_stay_several(tmp_path: Path) -> None:
    path = recording(tmp_path, *many(4))
    options = SplitOptions(recording_id="part-")
    parts = split_by_time(path, tmp_path / "timed", "frame", lambda kind: Every(15), options)
    assert [ids_of(part) for part in parts] == [
        {"part-0-demo", "part-0-other"},
        {"part-1-demo"},
        {"part-2-demo"},
    ]
    parts = split_by_size(path, tmp_path / "sized", 1, options)
    assert len(parts) == 5
    for number, part in enumerate(parts):
        assert_footer_is_right(part.path)
        assert ids_of(part) == {f"part-{number}-{'demo' if number < 4 else 'other'}"}


def test_a_timeline_that_is_not_there(tmp_path: Path) -> None:
    path = recording(tmp_path, *many(3))
    with pytest.raises(RrdError, match=r"no timeline 'nothing'; there are: 'frame'"):
        split_by_time(path, tmp_path / "parts", "nothing", lambda kind: Every(1))
    assert not (tmp_path / "parts").exists()
    both = [
        scalars("/a", [1]),
        chunk(
            "/a",
            1,
            [index(Timeline("frame", TimelineKind.DURATION), [1])],
            [component(SCALARS, [[1.0]], pa.float64())],
        ),
    ]
    with pytest.raises(ValueError, match="several kinds"):
        split_by_time(recording(tmp_path, *both), tmp_path / "parts", "frame", lambda kind: Every(1))


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recording(tmp_path, *many(5))
    monkeypatch.setattr(split, "MAX_PARTS", 3)
    monkeypatch.setattr("aiorerun.files.split_time.MAX_PARTS", 3)
    with pytest.raises(ValueError, match="more than 3 parts"):
        split_by_size(path, tmp_path / "parts", 1)
    with pytest.raises(ValueError, match="more than 3 parts"):
        split_by_time(path, tmp_path / "parts", "frame", lambda kind: Every(1))
    assert [each.name for each in tmp_path.iterdir()] == ["rec.bin"]


@pytest.mark.parametrize("by_time", [True, False])
def test_damage_is_an_error_unless_it_is_to_be_left_out(tmp_path: Path, by_time: bool) -> None:
    made = many(6)
    path = recording(tmp_path, *made)
    data = bytearray(path.read_bytes())
    damaged = chunk_payloads(bytes(data))[5]
    at = data.index(damaged)
    data[at + 100 : at + 300] = bytes(200)
    path.write_bytes(bytes(data))
    notes: list[Any] = []

    def run(options: SplitOptions) -> list[Part]:
        if by_time:
            return split_by_time(path, tmp_path / "parts", "frame", lambda kind: Every(10), options)
        return split_by_size(path, tmp_path / "parts", 1, options)

    with pytest.raises(RrdError):
        run(SplitOptions())
    assert not (tmp_path / "parts").exists()
    parts = run(SplitOptions(continue_on_error=True, on_note=notes.append))
    assert len(notes) == 1
    found = {row.row_id for part in parts for row in rows_of(part.path)}
    assert len(found) == len(rows_of(path_of(tmp_path, made))) - 10


def path_of(folder: Path, made: list[Chunk]) -> Path:
    return recording(folder, *made, name="whole.bin")


def test_old_files_in_which_only_announcements_name_the_application(tmp_path: Path) -> None:
    from aiorerun.codec.messages import chunk_message
    from aiorerun.types.store import StoreId

    nameless = StoreId(StoreKind.RECORDING, "", "demo")
    path = tmp_path / "old.bin"
    messages = [announcement(), *(chunk_message(nameless, each) for each in (*many(4), STATIC))]
    path.write_bytes(stream_of(messages, write_footer=False))
    for parts in (
        split_by_size(path, tmp_path / "sized", 1),
        split_by_time(path, tmp_path / "timed", "frame", lambda kind: Every(10)),
    ):
        assert len(parts) == 4
        for part in parts:
            assert_footer_is_right(part.path)


def test_intervals() -> None:
    assert Every(10).of(np.array([-11, -1, 0, 9, 10])).tolist() == [-2, -1, 0, 0, 1]
    assert Between([5, 1, 5]).of(np.array([0, 1, 4, 5, 9])).tolist() == [0, 1, 1, 2, 2]
    for wrong in (0, -1, 1 << 63):
        with pytest.raises(ValueError, match="longer than nothing"):
            Every(wrong)
    with pytest.raises(ValueError, match="no time"):
        Between([])
    assert FRAME.name == "frame"
