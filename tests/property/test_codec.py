"""The codec over schemas and data drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings, strategies as st

from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_arrow import decode_ipc, encode_reference, from_record_batch, to_record_batch
from aiorerun.codec.decoder import read_chunks
from aiorerun.codec.messages import chunk_message
from aiorerun.pipeline.chunk import Chunk, ComponentData, IndexColumn
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat_arrow import flatten, unflatten
from aiorerun.types.timeline import Timeline, TimelineKind
from tests.unit.codec.building import STORE, chunk, index, messages_of, stream_of

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
optional_names = st.none() | names
times = st.integers(-(1 << 63) + 1, (1 << 63) - 1)

LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-128, 127),
    pa.uint16(): st.integers(0, 65535),
    pa.int64(): times,
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    pa.large_string(): st.text("ab", max_size=3),
    pa.binary(): st.binary(max_size=6),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.timestamp("ns"): st.integers(0, 1 << 60),
    pa.decimal128(5, 2): st.decimals("-100", "100", places=2),
    pa.null(): st.none(),
}


def fields(name: str, kinds: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.Field[Any]]:
    metadata = st.none() | st.just({"key": "value"})
    return st.builds(
        lambda kind, nullable, extra: pa.field(
            name, kind, nullable=nullable or pa.types.is_null(kind), metadata=extra
        ),
        kinds,
        st.booleans(),
        metadata,
    )


def nested(kinds: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    items = fields("item", kinds)
    return st.one_of(
        items.map(pa.list_),
        items.map(pa.large_list),
        st.builds(pa.list_, items, st.integers(1, 3)),
        st.builds(lambda a, b: pa.struct([a, b]), fields("a", kinds), fields("b", kinds)),
    )


types = st.recursive(st.sampled_from(list(LEAVES)), nested, max_leaves=4)


def values_of(kind: pa.DataType, *, nullable: bool = True) -> st.SearchStrategy[Any]:
    """Python values of a type."""
    found: st.SearchStrategy[Any]
    if pa.types.is_fixed_size_list(kind):
        item = values_of(kind.value_type, nullable=kind.value_field.nullable)
        found = st.lists(item, min_size=kind.list_size, max_size=kind.list_size)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        found = st.lists(values_of(kind.value_type, nullable=kind.value_field.nullable), max_size=3)
    elif pa.types.is_struct(kind):
        inner = [kind.field(position) for position in range(kind.num_fields)]
        found = st.fixed_dictionaries(
            {each.name: values_of(each.type, nullable=each.nullable) for each in inner}
        )
    else:
        found = LEAVES[kind]
    return st.none() | found if nullable else found


@st.composite
def arrays(draw: st.DrawFn) -> pa.Array[Any]:
    """Arrays of any type, cut out of longer ones."""
    kind = draw(types)
    union = draw(st.sampled_from(["", "", "dense", "sparse"]))
    array = pa.array(draw(st.lists(values_of(kind), max_size=12)), kind)
    if union:
        codes = draw(st.lists(st.integers(0, 1), min_size=len(array), max_size=len(array)))
        array = union_of(union, codes, array)
    start = draw(st.integers(0, len(array)))
    return array.slice(start, draw(st.integers(0, len(array) - start)))


def union_of(mode: str, codes: list[int], array: pa.Array[Any]) -> pa.Array[Any]:
    type_ids = pa.array(codes, pa.int8())
    other = pa.array([str(number) for number in range(len(array))])
    if mode == "sparse":
        return pa.UnionArray.from_sparse(type_ids, [array, other])
    offsets = [codes[:position].count(code) for position, code in enumerate(codes)]
    return pa.UnionArray.from_dense(type_ids, pa.array(offsets, pa.int32()), [array, other])


@given(arrays())
def test_flat_and_back(array: pa.Array[Any]) -> None:
    back = unflatten(flatten(array))
    back.validate(full=True)
    assert back.type.equals(array.type, check_metadata=True)
    assert back.equals(array)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    """Chunks with any columns: static, without rows, with rows that leave components out."""
    num_rows = draw(st.integers(0, 6))
    timelines = draw(st.dictionaries(names, st.sampled_from(TimelineKind), max_size=3))
    columns: list[IndexColumn] = []
    for name, kind in timelines.items():
        drawn = draw(st.lists(times, min_size=num_rows, max_size=num_rows))
        columns.append(index(Timeline(name, kind), drawn))
    components: list[ComponentData] = []
    for component in draw(st.lists(names, max_size=3, unique=True)):
        descriptor = ComponentDescriptor(component, draw(optional_names), draw(optional_names))
        components.append(draw(component_data(descriptor, num_rows)))
    path = "/" + draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
    return chunk(path, num_rows, columns, components)


@st.composite
def component_data(draw: st.DrawFn, descriptor: ComponentDescriptor, num_rows: int) -> ComponentData:
    values = draw(arrays())
    cuts = draw(st.lists(st.integers(0, len(values)), min_size=num_rows + 1, max_size=num_rows + 1))
    offsets = np.array(sorted(cuts), np.int32)
    offsets[0], offsets[-1] = 0, len(values) if num_rows else 0
    present = None
    if draw(st.booleans()):
        present = np.array(draw(st.lists(st.booleans(), min_size=num_rows, max_size=num_rows)), np.bool_)
    return ComponentData(descriptor, offsets, flatten(values if num_rows else values[:0]), present)


@given(chunks())
@settings(max_examples=300)
def test_templates_encode_what_the_reference_encodes(made: Chunk) -> None:
    for _ in range(2):
        encoded = encode_batch(made)
        data = b"".join(encoded.segments)
        assert len(data) == encoded.nbytes
        batch, reference = decode_ipc(data), decode_ipc(encode_reference(made))
        assert batch.schema.equals(reference.schema, check_metadata=True)
        assert batch.equals(reference, check_metadata=True)
        assert batch.equals(to_record_batch(made), check_metadata=True)


@given(chunks())
def test_chunks_are_read_back(made: Chunk) -> None:
    batch = to_record_batch(made)
    again = from_record_batch(batch)
    assert (again.id, again.entity_path) == (made.id, made.entity_path)
    assert to_record_batch(again).equals(batch, check_metadata=True)


@given(st.lists(chunks(), max_size=4))
@settings(max_examples=50)
def test_streams_are_read_back(made: list[Chunk]) -> None:
    found = read_chunks(stream_of(messages_of(*made)))
    assert len(found) == len(made)
    for each, expected in zip(found, made, strict=True):
        assert each.store == STORE
        assert each.batch.equals(to_record_batch(expected), check_metadata=True)


@given(chunks())
def test_the_size_of_a_message_is_that_of_its_segments(made: Chunk) -> None:
    message = chunk_message(STORE, made)
    assert message.nbytes == sum(map(len, message.segments))
    assert message.rows == made.num_rows
