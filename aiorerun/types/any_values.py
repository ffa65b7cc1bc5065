"""Values of any kind as components, without an archetype that defines them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, cast

from aiorerun import errors
from aiorerun.types.batches import (
    ArrowBatch,
    ComponentColumn,
    ComponentColumnList,
    DescribedComponentBatch,
    UntypedBatch,
)  # fmt: skip
from aiorerun.types.coerce.any_value import converter, infer, sequence_converter
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARROW, DYNAMIC, Captured, Encoding
from aiorerun.types.plan import Step, plan_of
from aiorerun.types.rows import row_from_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    import pyarrow as pa

    from aiorerun.types.form import Row
    from aiorerun.types.plan import Plan

_PLANS_LIMIT: Final = 1024

_known: dict[ComponentDescriptor, Encoding] = {}
"""The type of each component in this process: that of the first value logged for it."""
_warned: set[tuple[ComponentDescriptor, Encoding]] = set()
_plans: dict[Any, Plan] = {}


class DynamicArchetype:
    """An archetype of your own: components with names, values of any kind, and a common archetype.

    A value may be a number, a text, a sequence or one-dimensional array of them, nested lists, bytes,
    dates, an Arrow array, or a component batch. The type of a component is that of the first value
    logged for it in this process; later values are converted if that loses nothing.

    Args:
        archetype: Name of the archetype.
        drop_untyped_nones: Leave out values that are ``None`` or empty while their type is unknown.
        components: The values by name.

    Raises:
        ValueError, TypeError: Values that cannot be logged, in strict mode; otherwise they are left out.
    """

    __slots__ = ("_archetype", "_row")

    _archetype: str | None
    _row: Row

    def __init__(
        self, archetype: str, drop_untyped_nones: bool = True, components: Mapping[str, Any] | None = None
    ) -> None:
        self._archetype = archetype
        self._fill(drop_untyped_nones, {} if components is None else dict(components))

    def _fill(self, drop_untyped_nones: Any, components: dict[str, Any]) -> None:
        if drop_untyped_nones is not True and drop_untyped_nones is not False:
            kind = type(drop_untyped_nones).__name__
            error = ValueError(
                f"`drop_untyped_nones` is True or False, not {kind}; pass values as {self._how}"
            )
            errors.report(type(self).__name__, error)
            drop_untyped_nones = True
        values = tuple(components.values())
        key = (self._archetype, *components, *map(type, values))
        try:
            plan = _plans.get(key)
            if plan is None:
                plan = self._plan(key, components)
            self._row = (plan or _no_plan)(values)
        except Exception:
            self._fill_each(drop_untyped_nones, components)

    def _fill_each(self, drop_untyped_nones: bool, components: dict[str, Any]) -> None:
        """Captures value by value: those whose types say too little, or to tell an error."""
        self._set(
            captured
            for name, value in components.items()
            if (captured := self._capture_named(name, value, drop_untyped_nones)) is not None
        )

    def _capture_named(
        self, name: Any, value: Any, drop: bool
    ) -> tuple[ComponentDescriptor, Encoding, Captured] | None:
        try:
            descriptor = self._descriptor(name)
        except (TypeError, ValueError) as error:
            errors.report(type(self).__name__, error)
            return None
        return _capture(descriptor, value, drop)

    @property
    def _how(self) -> str:
        return "components={…}"

    def _plan(self, key: Any, components: dict[str, Any]) -> Plan | None:
        """A plan, if the types of the values say everything about them."""
        steps: list[Step] = []
        for position, (name, value) in enumerate(components.items()):
            found = converter(type(value)) or sequence_converter(value)
            if found is None:
                return None
            descriptor = self._descriptor(name)
            encoding, (shape, convert) = found
            known = _known.get(descriptor)
            if (
                (known is None and type(value) is str and not value)
                or (known is not None and known is not encoding)
                or shape == DYNAMIC
            ):
                return None
            steps.append(Step(position, descriptor, encoding, shape, convert))
        if not steps:
            return None
        for step in steps:
            _known[step.descriptor] = step.encoding
        if len(_plans) >= _PLANS_LIMIT:
            _plans.clear()
        plan = _plans[key] = plan_of(steps)
        return plan

    def _descriptor(self, name: Any) -> ComponentDescriptor:
        given: Any = name
        is_name = isinstance(name, str) or not hasattr(name, "component")
        descriptor: ComponentDescriptor = ComponentDescriptor(name) if is_name else given
        if self._archetype is None or descriptor.archetype is not None:
            return descriptor
        return descriptor.with_builtin_archetype(self._archetype)

    def _set(self, columns: Iterator[tuple[ComponentDescriptor, Encoding, Captured]]) -> None:
        row = row_from_columns(columns)
        # Without a row, logging asks for the component batches, which tells that there are none.
        if row[0].columns:
            self._row = row

    def _columns(self) -> Iterator[tuple[ComponentDescriptor, Encoding, Captured]]:
        if not hasattr(self, "_row"):
            return
        form, fixed, objects = self._row
        for spec, data in zip(form.columns, form.split(fixed, objects), strict=True):
            yield spec.descriptor, spec.encoding, (spec.shape, data)

    def __reduce__(self) -> tuple[Callable[..., DynamicArchetype], tuple[Any, ...], dict[str, Any] | None]:
        """For pickles and copies."""
        made_of = (type(self), self._archetype, self.component_batches)
        return _restored, made_of, getattr(self, "__dict__", None)

    def with_component_from_data(
        self, descriptor: str | ComponentDescriptor, value: Any, *, drop_untyped_nones: bool = True
    ) -> Self:
        """Adds one more component, or replaces it; returns itself, so calls can be chained."""
        captured = self._capture_named(descriptor, value, drop_untyped_nones)
        if captured is not None:
            columns = {column[0].component: column for column in self._columns()}
            columns[captured[0].component] = captured
            self._set(iter(columns.values()))
        return self

    def with_component_override(
        self, field: str, component_type: str, value: Any, *, drop_untyped_nones: bool = True
    ) -> Self:
        """Adds one more component whose values mean a known component type."""
        descriptor = ComponentDescriptor(field, component_type=component_type)
        return self.with_component_from_data(descriptor, value, drop_untyped_nones=drop_untyped_nones)

    @property
    def component_batches(self) -> list[DescribedComponentBatch]:
        """The components as batches with their descriptors."""
        return [
            DescribedComponentBatch(UntypedBatch.of(encoding, captured), descriptor)
            for descriptor, encoding, captured in self._columns()
        ]

    def as_component_batches(self) -> list[DescribedComponentBatch]:
        """The components as batches with their descriptors; none at all is reported."""
        batches = self.component_batches
        if not batches:
            errors.report(type(self).__name__, ValueError("there is no component with a value to log"))
        return batches

    @classmethod
    def columns(
        cls, archetype: str, drop_untyped_nones: bool = True, components: Mapping[str, Any] | None = None
    ) -> ComponentColumnList:
        """Columns for ``send_columns``: one row per element, nested lists are the instances of a row."""
        return _columns_of(archetype, drop_untyped_nones, {} if components is None else components)

    def __repr__(self) -> str:
        shown = [
            f"{batch.component_descriptor()}={batch.as_arrow_array().to_pylist()!r}"
            for batch in self.component_batches
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class AnyValues(DynamicArchetype):
    """Any values as components of these names, without an archetype.

    A value may be a number, a text, a sequence or one-dimensional array of them, nested lists, bytes,
    dates, an Arrow array, or a component batch. The type of a component is that of the first value
    logged for it in this process; later values are converted if that loses nothing.

    Args:
        drop_untyped_nones: Leave out values that are ``None`` or empty while their type is unknown.
        **kwargs: The values by name.
    """

    __slots__ = ()

    def __init__(self, drop_untyped_nones: bool = True, **kwargs: Any) -> None:
        self._archetype = None
        self._fill(drop_untyped_nones, kwargs)

    @property
    def _how(self) -> str:
        return "keywords, or as components={…} of a DynamicArchetype"

    @classmethod
    def columns(cls, drop_untyped_nones: bool = True, **kwargs: Any) -> ComponentColumnList:  # type: ignore[override]
        """Columns for ``send_columns``: one row per element, nested lists are the instances of a row."""
        return _columns_of(None, drop_untyped_nones, kwargs)


class AnyBatchValue:
    """A value of any kind as a batch of the component it is for.

    Args:
        descriptor: The component, or its identifier.
        value: The value.
        drop_untyped_nones: Leave out a value that is ``None`` or empty while its type is unknown.
        expect_column: The value is meant for many rows.
    """

    __slots__ = ("_column", "_descriptor")

    def __init__(
        self,
        descriptor: str | ComponentDescriptor,
        value: Any,
        *,
        drop_untyped_nones: bool = True,
        expect_column: bool = False,
    ) -> None:
        self._descriptor = ComponentDescriptor(descriptor) if isinstance(descriptor, str) else descriptor
        self._column: ComponentColumn | None = None
        if expect_column:
            self._column = self.column(self._descriptor, value, drop_untyped_nones)
            return
        captured = _capture(self._descriptor, value, drop_untyped_nones)
        if captured is not None:
            batch = UntypedBatch.of(captured[1], captured[2])
            self._column = ComponentColumn(self._descriptor, batch)

    def component_descriptor(self) -> ComponentDescriptor:
        """The component it is for."""
        return self._descriptor

    def is_valid(self) -> bool:
        """Whether there is anything to log."""
        return self._column is not None

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values.

        Raises:
            ValueError: There are none.
        """
        if self._column is None:
            raise ValueError(f"{self._descriptor} has no value")
        return self._column.batch.as_arrow_array()

    @classmethod
    def column(
        cls, descriptor: str | ComponentDescriptor, value: Any, drop_untyped_nones: bool = True
    ) -> ComponentColumn | None:
        """A column of values for many rows; ``None`` if there is nothing or it cannot be converted."""
        own = ComponentDescriptor(descriptor) if isinstance(descriptor, str) else descriptor
        return _column(own, value, drop_untyped_nones)


def _restored(
    cls: type[DynamicArchetype], archetype: str | None, batches: list[DescribedComponentBatch]
) -> DynamicArchetype:
    new = cls.__new__(cls)
    new._archetype = archetype
    new._set(
        (described.component_descriptor(), *cast("UntypedBatch", described.batch).captured())
        for described in batches
    )
    return new


def _no_plan(values: tuple[Any, ...]) -> Row:
    raise LookupError(values)


def _columns_of(archetype: str | None, drop: bool, components: Mapping[str, Any]) -> ComponentColumnList:
    columns: list[ComponentColumn] = []
    for name, value in components.items():
        try:
            descriptor = ComponentDescriptor(name)
            if archetype is not None:
                descriptor = descriptor.with_builtin_archetype(archetype)
        except (TypeError, ValueError) as error:
            errors.report("columns", error)
            continue
        column = _column(descriptor, value, drop)
        if column is not None:
            columns.append(column)
    return ComponentColumnList(columns)


def _column(descriptor: ComponentDescriptor, value: Any, drop: bool) -> ComponentColumn | None:
    if isinstance(value, list | tuple) and any(map(_is_row, value)):
        try:
            return _nested_column(descriptor, value)
        except Exception as error:
            errors.report(f"Converting data for '{descriptor}'", error)
            return None
    captured = _capture(descriptor, value, drop)
    if captured is None:
        return None
    return ComponentColumn(descriptor, UntypedBatch.of(captured[1], captured[2]))


def _is_row(item: Any) -> bool:
    return isinstance(item, list | tuple) or getattr(item, "ndim", 0) > 0


def _nested_column(descriptor: ComponentDescriptor, rows: Any) -> ComponentColumn:
    """Nested lists: each inner one holds the instances of a row."""
    import pyarrow as pa

    lists = pa.array(rows)
    encoding, (shape, data) = _as_known(descriptor, *infer(lists.flatten()))
    lengths = [0 if row is None else len(row) for row in rows]
    batch = ArrowBatch(data) if shape == ARROW else UntypedBatch.of(encoding, (shape, data))
    return ComponentColumn(descriptor, batch, lengths=lengths)


def _capture(
    descriptor: ComponentDescriptor, value: Any, drop: bool
) -> tuple[ComponentDescriptor, Encoding, Captured] | None:
    known = _known.get(descriptor)
    try:
        if value is None or (known is None and _is_empty(value)):
            if known is not None:
                return descriptor, known, known.empty()
            if drop:
                return None
            value = None
        return (descriptor, *_as_known(descriptor, *infer(value, known)))
    except Exception as error:
        errors.report(f"Converting data for '{descriptor}'", error)
        return None


def _is_empty(value: Any) -> bool:
    try:
        return len(value) == 0
    except TypeError:
        return False


def _as_known(
    descriptor: ComponentDescriptor, encoding: Encoding, captured: Captured
) -> tuple[Encoding, Captured]:
    """Converts data to the type that the component has in this process."""
    known = _known.setdefault(descriptor, encoding)
    if known is encoding:
        return encoding, captured
    from aiorerun.types.coerce.arrow import captured_to_arrow

    array = captured_to_arrow(encoding, *captured)
    target = known.arrow_type()
    if not (_is_number(array.type) and _is_number(target)) and array.type != target:
        raise TypeError(f"its values are of type {target} since the first one, but now came {array.type}")
    converted = array.cast(target)
    if (descriptor, encoding) not in _warned:
        _warned.add((descriptor, encoding))
        warnings.warn(
            f"values of {descriptor} are of type {target} since the first one; {array.type} is converted",
            errors.RerunWarning,
            stacklevel=errors.caller_stacklevel(),
        )
    return known, (ARROW, converted)


def _is_number(arrow_type: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(arrow_type) or types.is_floating(arrow_type) or types.is_boolean(arrow_type))
