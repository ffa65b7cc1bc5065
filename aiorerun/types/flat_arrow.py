"""Between Arrow arrays and their flat form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.types.flat import FlatArray, Pieces
from aiorerun.types.pool import raw_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from aiorerun.types.flat import Buffer

_EMPTY: Final = b""
_NO_OFFSETS_32: Final = bytes(4)
_NO_OFFSETS_64: Final = bytes(8)
_MAX_KNOWN_TYPES: Final = 1024

_known_types: dict[pa.DataType, pa.DataType] = {}


def flatten(array: pa.Array[Any]) -> FlatArray:
    """Takes an Arrow array apart; what it is a slice of is left behind.

    Extension types become their storage type. Arrays that hold dictionaries, views or run-end
    encoded values anywhere are kept whole.
    """
    if isinstance(array.type, pa.BaseExtensionType):
        return flatten(array.storage)
    nodes: list[tuple[int, int]] = []
    buffers: list[Buffer | None] = []
    if not _is_flat(array.type):
        return FlatArray(array.type, len(array), nodes, buffers, array)
    _flatten(array, nodes, buffers)
    return FlatArray(_one_of(array.type), len(array), nodes, buffers)


def unflatten(flat: FlatArray) -> pa.Array[Any]:
    """Puts an Arrow array together again; buffers are shared, not copied."""
    if flat.arrow is not None:
        return flat.arrow
    return _unflatten(flat.type, iter(flat.nodes), iter(flat.buffers))


def copied_array(array: pa.Array[Any]) -> pa.Array[Any]:
    """A copy of an Arrow array, of its own elements only where it is a slice of others.

    Extension types become their storage type.
    """
    flat = flatten(array)
    if flat.arrow is not None:
        return flat.arrow.copy_to(pa.default_cpu_memory_manager()) if len(array) else flat.arrow
    flat.buffers = [None if buffer is None else _copied(buffer) for buffer in flat.buffers]
    return unflatten(flat)


def _copied(buffer: Any) -> Buffer:
    return raw_copy(np.frombuffer(buffer, np.uint8))


def _one_of(kind: pa.DataType) -> pa.DataType:
    """One object for equal types, metadata included: encoders recognise it by identity."""
    known = _known_types.get(kind)
    if known is None:
        if len(_known_types) >= _MAX_KNOWN_TYPES:
            _known_types.clear()
        known = _known_types.setdefault(kind, kind)
    # Types of equal looks may differ in the metadata of fields inside.
    return known if known is kind or not kind.num_fields or known.equals(kind, check_metadata=True) else kind


def _is_flat(kind: pa.DataType) -> bool:
    """Whether IPC writes arrays of this type as nothing but their nodes and buffers."""
    if kind.num_fields:
        return not _is_kept_whole(kind) and all(_is_flat(kind.field(i).type) for i in range(kind.num_fields))
    return not _is_kept_whole(kind)


def _is_kept_whole(kind: pa.DataType) -> bool:
    types = pa.types
    return (
        types.is_dictionary(kind)
        or types.is_string_view(kind)
        or types.is_binary_view(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
        or types.is_run_end_encoded(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )


def _flatten(array: pa.Array[Any], nodes: list[tuple[int, int]], buffers: list[Buffer | None]) -> None:
    kind = array.type
    types = pa.types
    nodes.append((len(array), array.null_count))
    if types.is_null(kind):
        return
    if types.is_union(kind):
        _flatten_union(array, nodes, buffers)
        return
    buffers.append(_validity(array))
    if types.is_struct(kind):
        for position in range(kind.num_fields):
            _flatten(array.field(position), nodes, buffers)
    elif types.is_fixed_size_list(kind):
        size = kind.list_size
        _flatten(array.values.slice(array.offset * size, len(array) * size), nodes, buffers)
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        offsets, first, last = _offsets(array, is_large=types.is_large_list(kind))
        buffers.append(offsets)
        _flatten(array.values.slice(first, last - first), nodes, buffers)
    elif _is_variable_width(kind):
        is_large = types.is_large_string(kind) or types.is_large_binary(kind)
        offsets, first, last = _offsets(array, is_large=is_large)
        buffers.append(offsets)
        data = array.buffers()[2]
        buffers.append(_EMPTY if data is None else data.slice(first, last - first))
    elif types.is_boolean(kind):
        buffers.append(_bits(array.buffers()[1], array.offset, len(array)))
    else:
        width = kind.bit_width // 8
        data = array.buffers()[1]
        buffers.append(_EMPTY if data is None else data.slice(array.offset * width, len(array) * width))


def _is_variable_width(kind: pa.DataType) -> bool:
    types = pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return bool(is_text or types.is_binary(kind) or types.is_large_binary(kind))


def _validity(array: pa.Array[Any]) -> Buffer | None:
    if not array.null_count:
        return None
    return _bits(array.buffers()[0], array.offset, len(array))


def _bits(buffer: pa.Buffer | None, offset: int, length: int) -> Buffer:
    """Some of the bits of a bitmap, moved to begin in the first byte."""
    if buffer is None or not length:
        return _EMPTY
    start = offset // 8
    covering: pa.Buffer = buffer.slice(start, (offset + length + 7) // 8 - start)
    shift = offset % 8
    if not shift:
        return covering
    bits = np.unpackbits(np.frombuffer(covering, np.uint8), bitorder="little")
    return np.packbits(bits[shift : shift + length], bitorder="little")


def _offsets(array: pa.Array[Any], *, is_large: bool) -> tuple[Buffer, int, int]:
    """Offsets that begin at 0, and the range of the values they speak of."""
    length = len(array)
    buffer = array.buffers()[1]
    if not length or buffer is None:
        return (_NO_OFFSETS_64 if is_large else _NO_OFFSETS_32), 0, 0
    width = 8 if is_large else 4
    wanted = buffer.slice(array.offset * width, (length + 1) * width)
    values: npt.NDArray[Any] = np.frombuffer(wanted, np.int64 if is_large else np.int32)
    first, last = values.item(0), values.item(-1)
    return (wanted if not first else values - values.dtype.type(first)), first, last


def _flatten_union(array: pa.Array[Any], nodes: list[tuple[int, int]], buffers: list[Buffer | None]) -> None:
    kind = array.type
    length = len(array)
    own = array.buffers()
    type_ids = _EMPTY if own[1] is None else own[1].slice(array.offset, length)
    buffers.append(type_ids)
    if kind.mode == "sparse":
        for position in range(kind.num_fields):
            _flatten(_sparse_child(array, position), nodes, buffers)
        return
    codes: npt.NDArray[np.int8] = np.frombuffer(type_ids, np.int8)
    offsets: npt.NDArray[np.int32] = np.zeros(0, np.int32)
    if own[2] is not None:
        offsets = np.frombuffer(own[2].slice(array.offset * 4, length * 4), np.int32)
    children: list[pa.Array[Any]] = []
    moved = offsets.copy()
    for position, code in enumerate(kind.type_codes):
        mine = codes == code
        used = offsets[mine]
        first, last = (int(used.min()), int(used.max()) + 1) if len(used) else (0, 0)
        children.append(array.field(position).slice(first, last - first))
        moved[mine] -= first
    buffers.append(moved)
    for child in children:
        _flatten(child, nodes, buffers)


def _sparse_child(array: pa.Array[Any], position: int) -> pa.Array[Any]:
    """A child of a sparse union, cut to the union's own elements."""
    child = array.field(position)
    return child if len(child) == len(array) else child.slice(array.offset, len(array))


def _unflatten(
    kind: pa.DataType, nodes: Iterator[tuple[int, int]], buffers: Iterator[Buffer | Pieces | None]
) -> pa.Array[Any]:
    length, null_count = next(nodes)
    count = own_buffers(kind)
    own = [as_arrow_buffer(next(buffers)) for _ in range(count)]
    if pa.types.is_null(kind):
        return pa.nulls(length)
    if pa.types.is_union(kind):
        own.insert(0, None)
    child = _children(kind)
    children = [_unflatten(child(i), nodes, buffers) for i in range(kind.num_fields)]
    return pa.Array.from_buffers(kind, length, own, null_count, 0, children)


def _children(kind: pa.DataType) -> Callable[[int], pa.DataType]:
    return lambda position: kind.field(position).type


def own_buffers(kind: pa.DataType) -> int:
    """How many buffers of its own, without its children's, an array of this type has in IPC."""
    types = pa.types
    if types.is_null(kind):
        return 0
    if types.is_union(kind):
        return 2 if kind.mode == "dense" else 1
    if types.is_struct(kind) or types.is_fixed_size_list(kind):
        return 1
    return 3 if _is_variable_width(kind) else 2


def as_arrow_buffer(buffer: Buffer | Pieces | None) -> pa.Buffer | None:
    """The same bytes as an Arrow buffer."""
    if buffer is None or isinstance(buffer, pa.Buffer):
        return buffer
    if isinstance(buffer, np.ndarray):
        # Some element types, e.g. times and big-endian ones, have no buffer that pyarrow takes.
        buffer = np.ascontiguousarray(buffer).reshape(-1).view(np.uint8)
    elif isinstance(buffer, Pieces):
        buffer = b"".join(buffer)
    return pa.py_buffer(buffer)
