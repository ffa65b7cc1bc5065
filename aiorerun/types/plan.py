"""Plans: how values of certain Python types are captured into a row. Made once, used per call."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from aiorerun.types.encoding import DYNAMIC, FIXED, RAW, Encoding, Shape
from aiorerun.types.form import ColumnSpec, Form, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.types.descriptors import ComponentDescriptor

    Plan: TypeAlias = Callable[[tuple[Any, ...]], Row]

MISFITS: Final = (struct.error, OverflowError, TypeError)
"""What packers raise for values that are not one instance, or none at all."""


class Step(NamedTuple):
    """What is done with one of the values.

    Attributes:
        position: Which one.
        descriptor: The component it is for.
        encoding: How it is encoded.
        shape: What ``convert`` gives, or ``DYNAMIC`` if it gives the shape too.
        convert: Captures the value.
        pack: Packs the items of the value if it is one instance, and fails otherwise; ``None`` if
            there is nothing to try.
    """

    position: int
    descriptor: ComponentDescriptor
    encoding: Encoding
    shape: Shape
    convert: Callable[[Any], Any]
    pack: Callable[..., bytes] | None = None


def plan_of(steps: Sequence[Step]) -> Plan:
    """A function that makes a row of values by these steps."""
    if all(step.shape != DYNAMIC for step in steps):
        return _static_plan(steps)
    if all(step.pack is not None or step.shape == FIXED for step in steps):
        return _vectors_plan(steps)
    return _dynamic_plan(steps)


def _static_plan(steps: Sequence[Step]) -> Plan:
    """A plan for values whose types settle the form."""
    form = Form.of([ColumnSpec(step.descriptor, step.encoding, step.shape) for step in steps])
    packers = [(step.position, step.convert) for step in steps if step.shape == FIXED]
    others = [(step.position, step.convert) for step in steps if step.shape != FIXED]

    def plan(values: tuple[Any, ...]) -> Row:
        fixed = b"".join([convert(values[position]) for position, convert in packers])
        return form, fixed, tuple([convert(values[position]) for position, convert in others])

    # The frequent cases without loops.
    if len(packers) == 1 and len(others) == 1:
        (place, pack), (position, convert) = packers[0], others[0]
        return lambda values: (form, pack(values[place]), (convert(values[position]),))
    if packers and others:
        return plan
    if len(others) == 1:
        position, convert = others[0]
        return lambda values: (form, b"", (convert(values[position]),))
    if len(others) == 2:
        (position, convert), (place, convert2) = others
        return lambda values: (form, b"", (convert(values[position]), convert2(values[place])))
    if len(packers) == 1:
        position, convert = packers[0]
        return lambda values: (form, convert(values[position]), ())
    return plan


def _vectors_plan(steps: Sequence[Step]) -> Plan:
    """A plan for sequences that are nearly always one instance each, such as poses.

    That is found out by packing them at once, which is cheaper than looking at them before.
    """
    form = Form.of([ColumnSpec(step.descriptor, step.encoding, FIXED) for step in steps])
    first = steps[0]
    if len(steps) == 1 and first.pack is not None:
        # All that the step's own function would do first has been tried already.
        otherwise = _dynamic_plan([first._replace(convert=first.encoding.capture)])
        position, pack = first.position, first.pack

        def plan(values: tuple[Any, ...]) -> Row:
            try:
                return form, pack(*values[position]), ()
            except MISFITS:
                return otherwise(values)

        return plan

    otherwise = _dynamic_plan(steps)
    takes = [_take(step) for step in steps]
    if len(takes) == 2:
        take, take2 = takes

        def plan_of_two(values: tuple[Any, ...]) -> Row:
            try:
                return form, take(values) + take2(values), ()
            except MISFITS:
                return otherwise(values)

        return plan_of_two

    def plan_of_many(values: tuple[Any, ...]) -> Row:
        try:
            return form, b"".join([take(values) for take in takes]), ()
        except MISFITS:
            return otherwise(values)

    return plan_of_many


def _take(step: Step) -> Callable[[tuple[Any, ...]], bytes]:
    """What makes the bytes of one FIXED column."""
    position, pack, convert = step.position, step.pack, step.convert
    if pack is None:
        return lambda values: convert(values[position])
    return lambda values: pack(*values[position])


def _dynamic_plan(steps: Sequence[Step]) -> Plan:
    """A plan for values of which only a look shows their shape."""
    if len(steps) == 1:
        return _dynamic_plan_of_one(steps[0])
    forms: dict[tuple[Shape, ...], Form] = {}
    rows = [(step.position, step.shape, step.convert) for step in steps]

    def form_of(shapes: tuple[Shape, ...]) -> Form:
        columns = [
            ColumnSpec(step.descriptor, step.encoding, shape)
            for step, shape in zip(steps, shapes, strict=True)
        ]
        form = forms[shapes] = Form.of(columns)
        return form

    def plan(values: tuple[Any, ...]) -> Row:
        shapes: list[Shape] = []
        fixed = b""
        objects: list[Any] = []
        for position, shape, convert in rows:
            if shape:
                data = convert(values[position])
            else:
                shape, data = convert(values[position])  # noqa: PLW2901 - DYNAMIC becomes the shape
            shapes.append(shape)
            if shape == FIXED:
                fixed += data
            else:
                objects.append(data)
        key = tuple(shapes)
        form = forms.get(key)
        return form or form_of(key), fixed, tuple(objects)

    return plan


def _dynamic_plan_of_one(step: Step) -> Plan:
    """The same without loops."""
    forms = {
        shape: Form.of([ColumnSpec(step.descriptor, step.encoding, shape)]) for shape in range(FIXED, RAW + 1)
    }
    position, convert = step.position, step.convert

    def plan(values: tuple[Any, ...]) -> Row:
        shape, data = convert(values[position])
        if shape == FIXED:
            return forms[FIXED], data, ()
        return forms[shape], b"", (data,)

    return plan
