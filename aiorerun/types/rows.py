"""Rows of whatever ``log`` accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun import errors
from aiorerun.types.batches import Batch, DescribedComponentBatch, capture
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARROW, FIXED, Captured, Encoding
from aiorerun.types.form import ColumnSpec, Form, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

_MERGED_LIMIT: Final = 4096
_merged: dict[tuple[Form, ...], tuple[Form, frozenset[int]]] = {}

NOTHING: Final[Row] = (Form.of(()), b"", ())
"""The row without any component."""


def row_of(entity: Any, extra: tuple[Any, ...] = ()) -> Row:
    """One row of everything given.

    Args:
        entity: An archetype, any object with ``as_component_batches()``, or an iterable of
            :class:`DescribedComponentBatch`.
        extra: More of them, for the same row.

    Raises:
        TypeError: Something that cannot be logged. It names what came.
        ValueError: The same component twice, in strict mode; otherwise the first one is kept.
    """
    if not extra:
        return _row(entity)
    rows = [_row(entity), *map(_row, extra)]
    forms = tuple([row[0] for row in rows])
    found = _merged.get(forms)
    if found is None:
        found = _merge(forms)
    form, repeated = found
    if not repeated:
        fixed = b"".join([row[1] for row in rows])
        return form, fixed, tuple([item for row in rows for item in row[2]])
    for position in sorted(repeated):
        _report_repeated(_columns(forms)[position].descriptor)
    data = [item for form, fixed, objects in rows for item in form.split(fixed, objects)]
    return _joined(form, [item for position, item in enumerate(data) if position not in repeated])


def row_from_columns(columns: Iterable[tuple[ComponentDescriptor, Encoding, Captured]]) -> Row:
    """A row of captured columns; of those for the same component the first is kept."""
    specs: list[ColumnSpec] = []
    data: list[Any] = []
    seen: set[str] = set()
    for descriptor, encoding, (shape, item) in columns:
        if descriptor.component in seen:
            _report_repeated(descriptor)
            continue
        seen.add(descriptor.component)
        specs.append(ColumnSpec(descriptor, encoding, shape))
        data.append(own_copy(item) if shape == ARROW else item)
    return _joined(Form.of(specs), data)


def _row(entity: Any) -> Row:
    row = getattr(entity, "_row", None)
    if type(row) is tuple and row and type(row[0]) is Form:
        return row
    return row_from_columns([_column(batch) for batch in _batches(entity)])


def _batches(entity: Any) -> Iterable[Any]:
    give = getattr(entity, "as_component_batches", None)
    if give is not None and not isinstance(entity, type):
        batches: Iterable[Any] = give()
        return batches
    if isinstance(entity, str | bytes | type) or not hasattr(entity, "__iter__"):
        raise _cannot_log(entity)
    return list(entity)


def _column(batch: Any) -> tuple[ComponentDescriptor, Encoding, Captured]:
    if not hasattr(batch, "component_descriptor") or not hasattr(batch, "as_arrow_array"):
        raise _cannot_log(batch)
    descriptor = batch.component_descriptor()
    if not isinstance(descriptor, ComponentDescriptor):
        # The official SDK's descriptors have the same three parts.
        descriptor = ComponentDescriptor(
            descriptor.component, descriptor.archetype, descriptor.component_type
        )
    if isinstance(batch, DescribedComponentBatch):
        inner = batch.batch
        if isinstance(inner, Batch):
            return (descriptor, *inner.captured())
    from aiorerun.types.coerce.arrow import ArrowEncoding

    array = _checked(batch.as_arrow_array())
    return descriptor, ArrowEncoding.of(array.type), (ARROW, array)


def _checked(array: Any) -> pa.Array[Any]:
    import pyarrow as pa

    if not isinstance(array, pa.Array):
        raise TypeError(f"as_arrow_array() gave {type(array).__name__}, not an Arrow array")
    return array


def own_copy(array: pa.Array[Any]) -> pa.Array[Any]:
    """A copy of an Arrow array: it may be a view of memory that its owner changes later."""
    import pyarrow as pa

    from aiorerun.types.flat_arrow import copied_array

    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(array.type, own_copy(array.storage))
    return copied_array(array)


def captured_for_row(encoding: Encoding, value: Any) -> Captured:
    """Captures a value of which nothing may change afterwards, whatever it is."""
    shape, data = capture(encoding, value)
    return shape, own_copy(data) if shape == ARROW else data


def _joined(form: Form, data: list[Any]) -> Row:
    fixed: list[bytes] = []
    objects: list[Any] = []
    for spec, item in zip(form.columns, data, strict=True):
        (fixed if spec.shape == FIXED else objects).append(item)
    return form, b"".join(fixed), tuple(objects)


def _columns(forms: tuple[Form, ...]) -> list[ColumnSpec]:
    return [spec for form in forms for spec in form.columns]


def _merge(forms: tuple[Form, ...]) -> tuple[Form, frozenset[int]]:
    seen: set[str] = set()
    kept: list[ColumnSpec] = []
    repeated: set[int] = set()
    for position, spec in enumerate(_columns(forms)):
        component = spec.descriptor.component
        if component in seen:
            repeated.add(position)
        else:
            seen.add(component)
            kept.append(spec)
    if len(_merged) >= _MERGED_LIMIT:
        _merged.clear()
    found = _merged[forms] = (Form.of(kept), frozenset(repeated))
    return found


def _report_repeated(descriptor: ComponentDescriptor) -> None:
    error = ValueError(f"component {descriptor} was given more than once for the same row; the first is kept")
    errors.report("log", error)


def _cannot_log(entity: Any) -> TypeError:
    kind = entity.__name__ if isinstance(entity, type) else type(entity).__name__
    what = f"the class {kind}" if isinstance(entity, type) else kind
    return TypeError(
        f"cannot log {what}: expected an archetype, another object with as_component_batches(), "
        "or an iterable of DescribedComponentBatch"
    )
