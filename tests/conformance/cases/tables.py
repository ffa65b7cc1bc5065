"""Cases: Arrow tables as rows, and properties of the recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tests.conformance.cases.registry import case

Metadata = dict[str, dict[str, str]]


def batch(columns: dict[str, Any], metadata: Metadata | None = None, **table: str) -> pa.RecordBatch:
    """A record batch; ``table`` is its own metadata, with ``_`` for the colon."""
    arrays = [pa.array(values) if isinstance(values, list) else values for values in columns.values()]
    fields = [
        pa.field(name, array.type, metadata=(metadata or {}).get(name))
        for name, array in zip(columns, arrays, strict=True)
    ]
    own = {key.replace("_", ":", 1): text for key, text in table.items()}
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=own or None))


@case()
def tables_with_a_named_index(rr: Any, rec: Any) -> None:
    plain = batch({"t": [3, 1, 2], "a": [1.0, 2.0, 3.0], "b": [[1], [], [2, 3]]})
    rec.send_record_batch(plain, index="t", entity_path="one")
    rec.send_record_batch(
        batch({"t": [1, 2], "u": [6, 5], "a": ["x", "y"]}), index=["u", "t"], entity_path="two"
    )
    rec.send_record_batch(batch({"t": [1, 2], "a": ["x", "y"]}), index=None, entity_path="static")
    rec.send_record_batch(batch({"t": [1, 2], "a": [True, False]}), index="t")


@case()
def tables_with_all_kinds_of_times(rr: Any, rec: Any) -> None:
    columns = {
        "stamp": pa.array([1, 2], pa.timestamp("ns")),
        "zoned": pa.array([1, 2], pa.timestamp("ns", "Europe/Zurich")),
        "length": pa.array([1, 2], pa.duration("ns")),
        "number": [1, 2],
        "x": [0.5, 1.5],
    }
    rec.send_record_batch(batch(columns), index=["stamp", "zoned", "length", "number"], entity_path="a")


@case()
def tables_with_metadata(rr: Any, rec: Any) -> None:
    index = {"rerun:kind": "index"}
    named = {"rerun:index_name": "other name"}
    columns = {"t": [1, 2], "a": [1.0, 2.0]}
    rec.send_record_batch(batch(columns, {"t": index}), entity_path="kind")
    rec.send_record_batch(batch(columns, {"t": named}), entity_path="name")
    rec.send_record_batch(batch(columns, {"t": index | named}), index="t", entity_path="both")
    rec.send_record_batch(batch(columns | {"u": [3, 4]}, {"t": index}), index="u", entity_path="another")
    described = {
        "rerun:entity_path": "/other/entity",
        "rerun:component": "Points2D:radii",
        "rerun:archetype": "rerun.archetypes.Points2D",
        "rerun:component_type": "rerun.components.Radius",
    }
    radii = pa.array([[1.0], [2.0, 3.0]], pa.list_(pa.float32()))
    rec.send_record_batch(batch({"t": [1, 2], "r": radii, "a": [1, 2]}, {"t": index, "r": described}))
    rec.send_record_batch(batch(columns | {"/p:foo": [1, 2]}, {"t": index}, rerun_entity_path="/of/table"))
    row_ids = pa.array([b"0" * 16, b"1" * 16], pa.binary(16))
    with_ids = batch({"r": row_ids, **columns}, {"r": {"rerun:kind": "control"}, "t": index})
    rec.send_record_batch(with_ids, entity_path="row_ids")


@case()
def tables_with_entities_in_names(rr: Any, rec: Any) -> None:
    columns = {
        "t": [1, 2],
        "/p/q:Points3D:positions": pa.array([[1, 2, 3], [4, 5, 6]], pa.list_(pa.float32(), 3)),
        "/m\\ n:foo": [1, 2],
        "x:y": [1, 2],
        "/no_colon": [3, 4],
        "/p/q:more": ["a", "b"],
    }
    rec.send_record_batch(batch(columns), index="t", entity_path="rest")
    rec.send_record_batch(batch({"a": [1, 2], "/o:b": [3, 4]}), index=None, entity_path="rest")


@case()
def tables_with_nulls_and_other_types(rr: Any, rec: Any) -> None:
    columns = {
        "t": [1, 2, 3],
        "plain": [1.0, None, 3.0],
        "lists": [[1.0, None], None, []],
        "texts": ["a", None, "ccc"],
        "none": pa.nulls(3),
        "bools": [True, None, False],
        "structs": [{"a": 1, "b": None}, None, {"a": None, "b": "x"}],
        "large": pa.array([[1.0], None, [2.0]], pa.large_list(pa.float64())),
        "fixed": pa.array([[1.0, 2.0], None, [3.0, None]], pa.list_(pa.float32(), 2)),
        "large_texts": pa.array(["x", "y", None], pa.large_string()),
        "words": pa.array(["a", None, "a"]).dictionary_encode(),
        "dates": pa.array([1, None, 3], pa.date32()),
        "views": pa.array(["short", None, "much longer than twelve bytes"], pa.string_view()),
    }
    rec.send_record_batch(batch(columns), index="t", entity_path="all")
    for name, values in columns.items():
        if name != "t":
            rec.send_record_batch(batch({"t": [1, 2, 3], "x": values}), index="t", entity_path=f"each/{name}")
    rec.send_record_batch(
        batch({"t": pa.array([], pa.int64()), "x": pa.nulls(0)}), index="t", entity_path="empty"
    )


@case()
def identified_tables(rr: Any, rec: Any) -> None:
    row_ids = pa.array([b"0" * 16, b"1" * 16], pa.binary(16))
    kinds = {"r": {"rerun:kind": "control"}, "t": {"rerun:kind": "index"}}
    own = {"rerun_id": "chunk_18EA9056986876EB305723030e3002b0", "rerun_entity_path": "/chunk"}
    rec.send_record_batch(batch({"r": row_ids, "t": [1, 2], "a": [1.0, 2.0]}, kinds, **own))
    own["rerun_id"] = "chunk_18EA9056986876EB305723030e3002b1"
    rec.send_record_batch(batch({"r": row_ids, "a": [1.0, 2.0]}, kinds, **own))


@case()
def whole_tables(rr: Any, rec: Any) -> None:
    table = pa.table({"t": np.arange(1000), "a": np.sin(np.arange(1000.0)), "/b:text": ["x", "y"] * 500})
    rec.send_dataframe(table, index="t", entity_path="table")
    rec.send_dataframe(pa.concat_tables([table, table.slice(10, 5)]), index="t", entity_path="chunked")
    rec.send_dataframe(table.to_reader(max_chunksize=300), index="t", entity_path="reader")
    rec.send_dataframe(table.to_batches()[0], index="t", entity_path="batch")

    class Stream:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return table.__arrow_c_stream__(requested_schema)

    rec.send_dataframe(Stream(), index="t", entity_path="stream")
    rec.send_dataframe(table.slice(0, 0), index="t", entity_path="empty")


@case(same_chunks=False)
def properties(rr: Any, rec: Any) -> None:
    rec.send_property("foo/bar baz", rr.AnyValues(property_number=1, property_list=[1.0, 2.0]))
    rec.send_property("situation", rr.Points3D([[1, 2, 3]]))
    rec.send_property("batches", rr.Points3D([[1, 2, 3]], radii=1).as_component_batches())
    rec.send_recording_name("my name ✓")
    rec.send_recording_start_time_nanos(42)
