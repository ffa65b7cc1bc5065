"""Arrow values that Parquet has no type for, as values of types that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable


_INTERVAL_PARTS: Final = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_INTERVAL: Final = pa.struct({"months": pa.int32(), "days": pa.int32(), "nanoseconds": pa.int64()})


def storable_type(kind: pa.DataType) -> pa.DataType:
    """The type that values of a type have in Parquet files.

    Unions become structs with a field for each of their variants, all but one of them null. Structs without
    fields become booleans that are true. Dictionaries and runs become what they stand for, intervals structs
    of their months, days and nanoseconds, and binaries of no bytes binaries of any length.
    """
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return storable_type(kind.value_type)
    if types.is_interval(kind):
        return _INTERVAL
    if types.is_fixed_size_binary(kind):
        return kind if kind.byte_width else pa.binary()
    if types.is_union(kind):
        return pa.struct([pa.field(field.name, storable_type(field.type)) for field in _fields(kind)])
    if types.is_struct(kind):
        if not kind.num_fields:
            return pa.bool_()
        return pa.struct([field.with_type(storable_type(field.type)) for field in _fields(kind)])
    if types.is_fixed_size_list(kind):
        return pa.list_(_storable_item(kind), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(_storable_item(kind))
    if types.is_list(kind):
        return pa.list_(_storable_item(kind))
    return kind


def _fields(kind: pa.DataType) -> Iterable[pa.Field[Any]]:
    return (kind.field(position) for position in range(kind.num_fields))


def _storable_item(kind: pa.DataType) -> pa.Field[Any]:
    return kind.value_field.with_type(storable_type(kind.value_type))


def storable(array: pa.Array[Any]) -> pa.Array[Any]:
    """The same values in the type of :func:`storable_type`; types that need nothing come back as they are."""
    kind = array.type
    wanted = storable_type(kind)
    if wanted == kind:
        return array
    types = pa.types
    if types.is_dictionary(kind):
        return storable(array.dictionary_decode())
    if types.is_run_end_encoded(kind):
        return _without_runs(array)
    if types.is_fixed_size_binary(kind):
        return array.cast(wanted)
    if types.is_union(kind):
        return _variants(array, wanted)
    mask = array.is_null() if array.null_count else None
    if types.is_interval(kind):
        return _interval_parts(array, mask)
    if types.is_struct(kind):
        if not kind.num_fields:
            return pa.array(np.ones(len(array), np.bool_))
        # Their own nulls; `flatten` would put those of the struct into its fields.
        fields = [storable(array.field(position)) for position in range(kind.num_fields)]
        return pa.StructArray.from_arrays(fields, fields=list(_fields(wanted)), mask=mask)
    if types.is_fixed_size_list(kind):
        size = kind.list_size
        values = array.values.slice(array.offset * size, len(array) * size)
        return pa.FixedSizeListArray.from_arrays(storable(values), type=wanted, mask=mask)
    offsets = array.offsets
    values = storable(array.values)
    if array.null_count:
        # A list without nulls of its own, which are put back with the mask.
        offsets = pa.array(offsets.to_numpy(zero_copy_only=False))
    make = pa.LargeListArray if types.is_large_list(kind) else pa.ListArray
    return make.from_arrays(offsets, values, type=wanted, mask=mask)


def _without_runs(array: pa.RunEndEncodedArray) -> pa.Array[Any]:
    """A value for each place instead of one for each run."""
    places = np.arange(array.offset, array.offset + len(array))
    runs = np.searchsorted(array.run_ends.to_numpy(), places, side="right")
    return storable(array.values).take(pa.array(runs))


def _interval_parts(array: pa.Array[Any], mask: pa.Array[Any] | None) -> pa.Array[Any]:
    parts = np.frombuffer(
        array.buffers()[1], _INTERVAL_PARTS, len(array), array.offset * _INTERVAL_PARTS.itemsize
    )
    # Their bytes lie between one another, which Arrow's do not.
    fields = [pa.array(np.ascontiguousarray(parts[name])) for name in _INTERVAL_PARTS.names or ()]
    return pa.StructArray.from_arrays(fields, fields=list(_fields(_INTERVAL)), mask=mask)


def _variants(array: pa.UnionArray, wanted: pa.DataType) -> pa.Array[Any]:
    """A union as a struct with a field per variant."""
    kind = array.type
    # pyarrow's own properties forget where a slice begins.
    _, codes_buffer, *offsets_buffer = array.buffers()[:3]
    codes = np.frombuffer(codes_buffer, np.int8, len(array), array.offset)
    places = np.arange(len(array), dtype=np.int32)
    if kind.mode == "dense":
        places = np.frombuffer(offsets_buffer[0], np.int32, len(array), 4 * array.offset)
    fields: list[pa.Array[Any]] = []
    for position, code in enumerate(kind.type_codes):
        absent = codes != code
        indices = pa.array(np.where(absent, 0, places).astype(np.int64), mask=absent)
        fields.append(storable(array.field(position)).take(indices))
    return pa.StructArray.from_arrays(fields, fields=list(_fields(wanted)))
