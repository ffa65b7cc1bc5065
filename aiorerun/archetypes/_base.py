"""What all archetypes share: capturing their values, and giving them back."""

from __future__ import annotations

import importlib
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from aiorerun import errors
from aiorerun.types.batches import (
    Batch,
    ComponentBatch,
    ComponentColumn,
    ComponentColumnList,
    DescribedComponentBatch,
    capture,
    portable,
    unpacked,
)  # fmt: skip
from aiorerun.types.coerce.foreign import holds_arrow
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import DYNAMIC, FIXED, Captured, Converter, Encoding
from aiorerun.types.form import ColumnSpec, Form, Row
from aiorerun.types.plan import Step, plan_of
from aiorerun.types.rows import captured_for_row, row_from_columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from aiorerun.types.plan import Plan

_NONE: Final = type(None)
_PLANS_LIMIT: Final = 1024


class Field(NamedTuple):
    """One field of an archetype.

    Attributes:
        name: Its name in Python.
        descriptor: The name of its component.
        encoding: How its values are encoded.
    """

    name: str
    descriptor: ComponentDescriptor
    encoding: Encoding


def fields(archetype: str, *rows: tuple[str, str, Encoding]) -> tuple[Field, ...]:
    """The table of an archetype's fields, from names, component types and encodings."""
    short = archetype.rpartition(".")[2]
    return tuple(
        [
            Field(name, ComponentDescriptor(f"{short}:{name}", archetype, component), encoding)
            for name, component, encoding in rows
        ]
    )


class _Value:
    """Gives a field back: what was captured, as a batch, or ``None``.

    One for each field: with ``__getattr__`` the interpreter would look everything up the slow way, the row
    of what is logged included.
    """

    __slots__ = ("_field",)

    def __init__(self, field: Field) -> None:
        self._field = field

    def __get__(self, archetype: Archetype | None, owner: type[Archetype]) -> Any:
        if archetype is None:
            return self
        field = self._field
        captured = archetype._captured(field)
        if captured is None:
            return None
        return _batch_class(field.descriptor.component_type).of(field.encoding, captured)


class Archetype:
    """A thing that can be logged: a fixed set of components that mean something together.

    An archetype copies what it is given and never changes afterwards. Fields that were not given are
    not logged, so logging an archetype with some fields leaves the others of the entity as they are.
    """

    __slots__ = ("_row",)

    NAME: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()

    _row: Row
    _plans: ClassVar[dict[tuple[type, ...], Plan]]

    def __init_subclass__(cls) -> None:
        cls._plans = {}
        if "FIELDS" in cls.__dict__:
            for field in cls.FIELDS:
                setattr(cls, f"descriptor_{field.name}", staticmethod(partial(_itself, field.descriptor)))
                # A method of the same name wins.
                if isinstance(getattr(cls, field.name, None), _Value | None):
                    setattr(cls, field.name, _Value(field))

    @classmethod
    def archetype(cls) -> str:
        """Full name, e.g. ``"rerun.archetypes.Points3D"``."""
        return cls.NAME

    @classmethod
    def archetype_short_name(cls) -> str:
        """Name without the module, e.g. ``"Points3D"``."""
        return cls.NAME.rpartition(".")[2]

    @classmethod
    def cleared(cls) -> Self:
        """An instance that clears every field of the entity."""
        return cls._from_values(True, (None,) * len(cls.FIELDS))

    @classmethod
    def _from_values(cls, clear_unset: bool, values: tuple[Any, ...]) -> Self:
        new = cls.__new__(cls)
        if clear_unset:
            values = tuple([() if value is None else value for value in values])
        new._capture(*values)
        return new

    def _capture(self, *values: Any) -> None:
        """Captures one value per field, in the order of ``FIELDS``; ``None`` leaves a field out."""
        self._take(tuple(map(type, values)), values)

    def _take(self, kinds: tuple[type, ...], values: tuple[Any, ...]) -> None:
        """The same with the types of the values, which cost less where they are spelled out."""
        plan = self._plans.get(kinds)
        if plan is None:
            plan = self._plan_for(kinds)
        try:
            self._row = plan(values)
        except Exception:
            self._row = self._capture_each(values)

    @classmethod
    def _plan_for(cls, kinds: tuple[type, ...]) -> Plan:
        """How to capture values of these types; ``None`` values cost nothing."""
        steps = [
            Step(
                position,
                field.descriptor,
                field.encoding,
                *_converter(field.encoding, kind),
                field.encoding.packer(kind),
            )
            for position, (field, kind) in enumerate(zip(cls.FIELDS, kinds, strict=True))
            if kind is not _NONE
        ]
        plan = plan_of(steps)
        if len(cls._plans) >= _PLANS_LIMIT:
            cls._plans.clear()
        cls._plans[kinds] = plan
        return plan

    def _capture_each(self, values: tuple[Any, ...]) -> Row:
        """Captures field by field, so that an error is told of the field it belongs to.

        Raises:
            TypeError, ValueError, OverflowError: In strict mode, for the first value that does not fit.
                Otherwise the field is captured empty, which clears it.
        """
        columns: list[ColumnSpec] = []
        fixed: list[bytes] = []
        objects: list[Any] = []
        for field, value in zip(self.FIELDS, values, strict=True):
            if value is None:
                continue
            try:
                shape, data = captured_for_row(field.encoding, value)
            except Exception as error:
                self._report(told_of(field.name, error))
                shape, data = field.encoding.empty()
            columns.append(ColumnSpec(field.descriptor, field.encoding, shape))
            (fixed if shape == FIXED else objects).append(data)
        return Form.of(columns), b"".join(fixed), tuple(objects)

    @classmethod
    def _report(cls, error: Exception) -> None:
        """Raises in strict mode, otherwise warns, in the name of the archetype."""
        if errors.strict_mode():
            raise told_of(cls.__name__, error)
        errors.report(cls.__name__, error)

    @classmethod
    def _columns(cls, *values: Any) -> ComponentColumnList:
        columns: list[ComponentColumn] = []
        for field, value in zip(cls.FIELDS, values, strict=True):
            if value is None:
                continue
            try:
                captured = capture(field.encoding, value)
            except (TypeError, ValueError, OverflowError) as error:
                raise told_of(f"{cls.__name__}.columns: {field.name}", error) from error
            batch = _batch_class(field.descriptor.component_type).of(field.encoding, captured)
            size = len(batch)
            rows = field.encoding.rows_of(value, size)
            if rows and size % rows:
                raise ValueError(
                    f"{cls.__name__}.columns: {field.name}: {size} instances cannot be spread evenly over "
                    f"the {rows} rows that the first axis stands for; for one row, add an axis of length 1"
                )
            lengths = None if rows == size else [size // rows] * rows
            columns.append(ComponentColumn(field.descriptor, batch, lengths=lengths))
        return ComponentColumnList(columns)

    def as_component_batches(self) -> list[DescribedComponentBatch]:
        """The fields that are set, as batches with their descriptors."""
        form, fixed, objects = self._row
        return [
            DescribedComponentBatch(
                _batch_class(spec.descriptor.component_type).of(spec.encoding, (spec.shape, data)),
                spec.descriptor,
            )
            for spec, data in zip(form.columns, form.split(fixed, objects), strict=True)
        ]

    def __reduce__(self) -> tuple[Callable[..., Archetype], tuple[Any, ...], dict[str, Any] | None]:
        """For pickles and copies: what is captured by the names of the fields, which each process knows."""
        names = {field.descriptor: field.name for field in self.FIELDS}
        form, fixed, objects = self._row
        captured = {
            names[spec.descriptor]: portable((spec.shape, data))
            for spec, data in zip(form.columns, form.split(fixed, objects), strict=True)
        }
        # Classes derived from an archetype may have attributes of their own.
        return _restored, (type(self), captured), getattr(self, "__dict__", None)

    def _captured(self, field: Field) -> Captured | None:
        form, fixed, objects = self._row
        for spec, data in zip(form.columns, form.split(fixed, objects), strict=True):
            if spec.descriptor == field.descriptor:
                return spec.shape, data
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Archetype):
            return NotImplemented
        if type(self) is not type(other):
            return False
        mine, theirs = self.as_component_batches(), other.as_component_batches()
        return len(mine) == len(theirs) and all(
            a.component_descriptor() == b.component_descriptor() and a.batch == b.batch
            for a, b in zip(mine, theirs, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [_shown(batch) for batch in self.as_component_batches()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _restored(cls: type[Archetype], captured: dict[str, Captured]) -> Archetype:
    new = cls.__new__(cls)
    new._row = row_from_columns(
        (field.descriptor, field.encoding, unpacked(captured[field.name]))
        for field in cls.FIELDS
        if field.name in captured
    )
    return new


def _itself(descriptor: ComponentDescriptor) -> ComponentDescriptor:
    return descriptor


def _converter(encoding: Encoding, kind: type) -> Converter:
    if issubclass(kind, Batch) or holds_arrow(kind):
        return DYNAMIC, partial(captured_for_row, encoding)
    return encoding.row_converter(kind)


def told_of(where: str, error: Exception) -> Exception:
    """An error of the same built-in kind that says where the value was given."""
    if isinstance(error, OSError) or str(error).startswith(f"{where}: "):
        # The number and file name of system errors are worth more than the name of the archetype.
        return error
    for kind in (OverflowError, ValueError, TypeError):
        if isinstance(error, kind):
            return kind(f"{where}: {error}").with_traceback(error.__traceback__)
    return TypeError(f"{where}: {error}").with_traceback(error.__traceback__)


def converted(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    """What becomes of an argument; an error says which one it was."""
    try:
        return convert(value)
    except Exception as error:
        raise told_of(name, error) from error


def _shown(batch: DescribedComponentBatch) -> str:
    name = batch.component_descriptor().component.partition(":")[2]
    array = batch.as_arrow_array()
    first = array[:3].to_pylist()
    if len(str(first)) > 100:
        return f"{name}=<{len(array)} × {array.type}>"
    more = f", … {len(array) - 3} more" if len(array) > 3 else ""
    return f"{name}={str(first)[:-1]}{more}]"


@cache
def _batch_class(component_type: str | None) -> type[ComponentBatch]:
    """The class of a component's batches. Loaded when someone asks for batches, not for logging."""
    assert component_type is not None
    module, _, name = component_type.rpartition(".")
    # Those of blueprints are in a package that uses this one.
    package = importlib.import_module(module.replace("rerun.", "aiorerun.", 1))
    found: type[ComponentBatch] = getattr(package, f"{name}Batch")
    return found
