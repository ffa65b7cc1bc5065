"""Columns as they are captured, and the chunks that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun import errors
from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.decoder import read_chunks
from aiorerun.codec.messages import chunk_message
from aiorerun.pipeline.chunk import RunColumn
from aiorerun.pipeline.column_chunks import chunks_of
from aiorerun.pipeline.columns import capture_columns
from aiorerun.sinks.memory import encode_stream
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.tuid import TuidRange

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk

LISTS = pa.list_(pa.float64())


class Own:
    """A column, or times, as a program of one's own may define them."""

    def __init__(self, name: Any, array: Any) -> None:
        self._name = name
        self._array = array

    def component_descriptor(self) -> Any:
        return self._name

    def timeline_name(self) -> Any:
        return self._name

    def as_arrow_array(self) -> Any:
        return self._array


def own(name: str, array: Any) -> Own:
    return Own(rr.ComponentDescriptor(name), array)


def frames(*numbers: int) -> list[rr.TimeColumn]:
    return [rr.TimeColumn("f", sequence=numbers)]


def chunks(indexes: Any, columns: Any, **options: Any) -> list[Chunk]:
    return list(chunks_of(capture_columns("a", indexes, columns), ids, 0, **options))


def table(chunk: Chunk) -> dict[str, list[Any]]:
    batch = to_record_batch(chunk)
    batch.validate(full=True)
    return {name: batch.column(name).to_pylist() for name in batch.schema.names[1:]}


def all_ids(chunk: Chunk) -> Any:
    row_ids: Any = chunk.row_ids
    return row_ids.all() if isinstance(row_ids, TuidRange) else row_ids


class TestOrder:
    def test_rows_are_sorted_by_time_and_ties_stay_in_order(self) -> None:
        (chunk,) = chunks(frames(3, 1, 2, 1), rr.Scalars.columns(scalars=[0.0, 1.0, 2.0, 3.0]))
        assert table(chunk) == {"f": [1, 1, 2, 3], "Scalars:scalars": [[1.0], [3.0], [2.0], [0.0]]}
        assert chunk.indexes[0].is_sorted

    def test_the_first_timeline_by_name_counts_most(self) -> None:
        indexes = [rr.TimeColumn("b", sequence=[9, 8, 7]), rr.TimeColumn("a", sequence=[1, 0, 1])]
        (chunk,) = chunks(indexes, rr.Scalars.columns(scalars=[0.0, 1.0, 2.0]))
        assert table(chunk) == {"a": [0, 1, 1], "b": [8, 7, 9], "Scalars:scalars": [[1.0], [2.0], [0.0]]}
        assert [index.is_sorted for index in chunk.indexes] == [True, False]

    @pytest.mark.parametrize(
        "array",
        [
            pa.array(["a", None, "c"], pa.string_view()),
            pa.array([["a"], None, ["b", "c"]], pa.list_(pa.string_view())),
            pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), pa.array(["a", "b"])),
        ],
    )
    def test_arrays_that_arrow_cannot_take_from(self, array: pa.Array[Any]) -> None:
        (chunk,) = chunks(frames(2, 3, 1), [own("x", array)])
        given = array.to_pylist()
        (got,) = [column for name, column in table(chunk).items() if name == "x"]
        expected = [given[2], given[0], given[1]]
        assert got in (expected, [[each] for each in expected])

    def test_static_rows_stay_in_order(self) -> None:
        (chunk,) = chunks([], rr.Scalars.columns(scalars=[3.0, 1.0]))
        assert chunk.is_static
        assert table(chunk) == {"Scalars:scalars": [[3.0], [1.0]]}

    @pytest.mark.parametrize(
        "column",
        [
            own("x", pa.array([[1.0, 1.5], None, []], LISTS)),
            own("x", pa.array(["a", None, "c"])),
            own("x", pa.array([["a"], ["b"], ["a"]], pa.list_(pa.dictionary(pa.int8(), pa.utf8())))),
            *rr.TextLog.columns(text=["a", "", "ccc"]),
            *rr.EncodedImage.columns(blob=[b"a", b"", b"ccc"]),
            *rr.LineStrips3D.columns(strips=[[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]], [[7, 8, 9]]]),
            *rr.Points3D.columns(positions=np.arange(12).reshape(4, 3)).partition([2, 0, 2]),
            *rr.SeriesLines.columns(visible_series=[True, False, True]),
            *rr.AnyValues.columns(test_columns_n=[[1, 2], [3], [4]]),
        ],
    )
    def test_columns_of_all_shapes_follow(self, column: Any) -> None:
        (given,) = chunks(frames(1, 2, 3), [column])
        (sorted_,) = chunks(frames(3, 2, 1), [column])
        (name,) = [key for key in table(given) if key != "f"]
        assert table(sorted_)[name] == table(given)[name][::-1]


class TestRuns:
    """Consecutive times, which are many."""

    def test_they_are_made_when_they_are_asked_for(self) -> None:
        values = np.arange(1000.0)
        (chunk,) = chunks([rr.TimeColumn("f", sequence=range(7, 1007))], rr.Scalars.columns(scalars=values))
        (index,) = chunk.indexes
        assert isinstance(index, RunColumn)
        assert index.is_sorted
        assert table(chunk)["f"] == list(range(7, 1007))

    @pytest.mark.parametrize("order", [1, -1])
    def test_beside_other_times(self, order: int) -> None:
        numbers = np.arange(1000)
        for name in ("a", "z"):
            indexes = [
                rr.TimeColumn("f", sequence=numbers),
                rr.TimeColumn(name, sequence=numbers[::order] * 2),
            ]
            (chunk,) = chunks(indexes, rr.Scalars.columns(scalars=numbers))
            # The rows are in the order of the timeline whose name comes first.
            step = order if name == "a" else 1
            got = table(chunk)
            assert got["f"] == numbers[::step].tolist()
            assert got[name] == (numbers[::order] * 2)[::step].tolist()
            assert got["Scalars:scalars"] == [[float(number)] for number in numbers[::step]]
            sorted_ = [index.is_sorted for index in chunk.indexes]
            assert sorted_ == ([True, True] if order == 1 else [True, False])

    def test_parts_of_a_huge_block_have_their_own(self) -> None:
        columns = rr.Scalars.columns(scalars=np.arange(1000.0))
        indexes = [rr.TimeColumn("f", sequence=range(1000))]
        block = capture_columns("a", indexes, columns)
        parts = chunks(indexes, columns, max_bytes=block.nbytes // 3)
        assert len(parts) in (3, 4)
        assert [number for part in parts for number in table(part)["f"]] == list(range(1000))


class TestLayout:
    def test_ids_ascend_from_the_chunk_on(self) -> None:
        (chunk,) = chunks(frames(*range(100)), rr.Scalars.columns(scalars=np.arange(100.0)))
        numbers = chunk.row_ids.astype(np.uint64)
        assert chunk.row_ids.shape == (100, 2)
        assert len(set(numbers[:, 0].tolist())) == 1
        assert (np.diff(numbers[:, 1]) == 1).all()
        assert numbers[0, 1] > chunk.id.inc

    def test_columns_of_equal_lengths_share_their_offsets(self) -> None:
        columns = [
            *rr.Points3D.columns(positions=np.zeros((4, 3)), radii=np.ones(4)).partition([1, 3]),
            own("own", pa.array([[1.0], [2.0, 3.0, 4.0]], LISTS)),
        ]
        (chunk,) = chunks(frames(1, 2), columns)
        assert len({id(component.offsets) for component in chunk.components}) == 1

    def test_values_that_no_row_has_are_left_out(self) -> None:
        batch = rr.components.ScalarBatch(np.arange(9.0))
        column = rr.ComponentColumn("x", batch, offsets=[2, 3, 5])
        (chunk,) = chunks(frames(1, 2), [column])
        assert chunk.components[0].values.length == 3
        assert table(chunk)["x"] == [[2.0], [3.0, 4.0]]

    @pytest.mark.parametrize("lengths", [None, [1, 2, 0, 4, 3, 2]])
    def test_huge_calls_become_several_chunks(self, lengths: list[int] | None) -> None:
        size = 6 if lengths is None else sum(lengths)
        columns: list[Any] = [
            *rr.Scalars.columns(scalars=np.arange(float(size))),
            *rr.AnyValues.columns(test_columns_word=[str(i) for i in range(size)]),
        ]
        if lengths is not None:
            columns = [column.partition(lengths) for column in columns]
        columns.append(own("own", pa.array([[1.0], None, [], [2.0, 3.0], [4.0], None], LISTS)))
        (whole,) = chunks(frames(*range(6)), columns)
        parts = chunks(
            frames(*range(6)), columns, max_bytes=capture_columns("a", frames(*range(6)), columns).nbytes // 3
        )
        assert [part.num_rows for part in parts] == [2, 2, 2] or len(parts) > 2
        assert len({part.id for part in parts}) == len(parts)
        joined: dict[str, list[Any]] = {name: [] for name in table(whole)}
        for part in parts:
            for name, cells in table(part).items():
                joined[name] += cells
        assert joined == table(whole)


class TestCopies:
    def test_foreign_memory_is_copied_at_the_call(self) -> None:
        times, values = np.arange(20_000), np.zeros(20_000)
        block = capture_columns("a", [Own("f", pa.array(times))], [own("x", pa.array(values))])
        times[:] = -1
        values[:] = 7.0
        (chunk,) = chunks_of(block, ids, 0)
        assert table(chunk) == {"f": list(range(20_000)), "x": [[0.0]] * 20_000}

    def test_arrow_data_in_an_archetype_is_copied_too(self) -> None:
        values = np.zeros(5)
        block = capture_columns("a", frames(*range(5)), rr.Scalars.columns(scalars=pa.array(values)))
        values[:] = 7.0
        (chunk,) = chunks_of(block, ids, 0)
        assert table(chunk)["Scalars:scalars"] == [[0.0]] * 5

    def test_own_memory_is_not_copied_again(self) -> None:
        times = rr.TimeColumn("f", sequence=np.arange(100))
        (column,) = rr.Points3D.columns(positions=np.zeros((100, 3)))
        (chunk,) = chunks([times], [column])
        assert chunk.indexes[0].values is times.values()
        batch: Any = column.batch
        assert np.shares_memory(chunk.components[0].values.buffers[-1], batch.captured()[1][1])

    def test_of_a_slice_only_its_own_elements_are_kept(self) -> None:
        lists = pa.ListArray.from_arrays(
            pa.array(np.arange(10_001, dtype=np.int32)), pa.array(np.zeros(10_000))
        )
        block = capture_columns("a", frames(1, 2), [own("x", lists.slice(5000, 2))])
        assert block.nbytes < 200

    def test_what_is_given_lazily_is_read_once(self) -> None:
        block = capture_columns("a", iter(frames(1, 2)), iter(rr.Scalars.columns(scalars=[1.0, 2.0])))
        assert block.num_rows == 2


class TestErrors:
    @pytest.mark.parametrize(
        ("indexes", "columns", "error", "text"),
        [
            (frames(1, 2), rr.Scalars.columns(scalars=[1.0]), ValueError, "'Scalars:scalars' has 1"),
            ([*frames(1, 2), rr.TimeColumn("g", sequence=[1])], [], ValueError, "timeline 'g' has 1"),
            ([*frames(1), *frames(1)], [], ValueError, "'f' was given twice"),
            ([], [own("x", pa.array([1])), own("y", pa.array([1, 2]))], ValueError, "'y' has 2"),
            (frames(1), [], ValueError, "no component column"),
            ([], [], ValueError, "no component column"),
            (["f"], [], TypeError, "indexes must hold TimeColumn"),
            ("f", [], TypeError, "indexes must be an iterable"),
            (None, [], TypeError, "indexes must be an iterable"),
            (frames(1), 3, TypeError, "columns must be an iterable"),
            (frames(1), [rr.Scalars(1.0)], TypeError, "columns must hold ComponentColumn"),
            (frames(1), [rr.Scalars.columns(scalars=[1.0])], TypeError, r"\[\*one, \*other\]"),
            (frames(1), [own("x", [1.0])], TypeError, "not an Arrow array"),
            ([Own("f", pa.array([1.0]))], [], TypeError, "double"),
            ([Own("f", [1])], [], TypeError, "list"),
            ([Own("f", pa.array([1, None]))], [], ValueError, "timeline 'f'.*nulls"),
            ([Own("", pa.array([1]))], [], ValueError, "empty"),
            ([Own(3, pa.array([1]))], [], TypeError, "timeline"),
        ],
    )
    def test_each_names_what_is_wrong(
        self, indexes: Any, columns: Any, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            capture_columns("a", indexes, columns)

    def test_a_wrong_path(self) -> None:
        wrong: Any = 3
        with pytest.raises(TypeError, match="entity_path"):
            capture_columns(wrong, [], [])

    def test_of_a_component_given_twice_the_last_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        columns = [own("x", pa.array([1])), own("x", pa.array([2]))]
        monkeypatch.setattr(errors._Mode, "strict", False)
        with pytest.warns(rr.RerunWarning, match="'x' was given twice"):
            (chunk,) = chunks(frames(1), columns)
        assert table(chunk)["x"] == [[2]]
        monkeypatch.setattr(errors._Mode, "strict", True)
        with pytest.raises(ValueError, match="'x' was given twice"):
            capture_columns("a", frames(1), columns)


def test_times_of_other_units_are_converted_exactly() -> None:
    indexes = [
        Own("clock", pa.array([1, 2], pa.timestamp("us", "Europe/Zurich"))),
        Own("length", pa.chunked_array([pa.array([1], pa.duration("s")), pa.array([2], pa.duration("s"))])),
    ]
    (chunk,) = chunks(indexes, [own("x", pa.chunked_array([[1], [2]]))])
    assert [index.values.tolist() for index in chunk.indexes] == [[1000, 2000], [10**9, 2 * 10**9]]
    assert [index.timeline.kind.name for index in chunk.indexes] == ["TIMESTAMP", "DURATION"]


@pytest.mark.parametrize("rows", [255, 256, 257, 1000, 70_000, 300_000])
@pytest.mark.parametrize("is_dictionary", [False, True])
def test_long_chunks_are_written_whole(rows: int, is_dictionary: bool) -> None:
    values = pa.array(np.arange(rows) % 7)
    # What IPC does not write as plain buffers is encoded by pyarrow.
    column = own("x", values.dictionary_encode() if is_dictionary else values)
    (chunk,) = chunks([rr.TimeColumn("f", sequence=np.arange(rows))], [column])
    message = chunk_message(StoreId(StoreKind.RECORDING, "app", "long"), chunk)
    ((_, batch),) = read_chunks(encode_stream([message]))
    assert batch.num_rows == rows
    assert batch.column("f").to_pylist() == list(range(rows))
    assert batch.column("x").flatten().to_pylist() == values.to_pylist()
    assert batch.column(0).to_pylist() == [row_id.tobytes() for row_id in all_ids(chunk)]
