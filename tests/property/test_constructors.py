"""Whatever is passed to any constructor: a clear error or warning, or a row that is whole."""

from __future__ import annotations

import datetime as dt
import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from aiorerun import archetypes, components as c, datatypes as d, errors
from aiorerun.archetypes import Archetype
from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.pipeline.assemble import single_row_chunk
from aiorerun.types.ids import ids
from aiorerun.types.rows import row_of

CLASSES: list[type[Archetype]] = [
    found
    for found in (getattr(archetypes, name) for name in archetypes.__all__)
    if isinstance(found, type) and issubclass(found, Archetype) and found is not Archetype
]
CASES_PER_CLASS = 200
"""More than 10,000 over all classes."""

NATIVES: list[Any] = [
    d.Angle(deg=3),
    d.ClassDescription(info=(1, "a")),
    d.ImageFormat(2, 2),
    d.Quaternion.identity(),
    d.RotationAxisAngle([0, 0, 1], degrees=5),
    d.TensorData(array=[[1, 2]]),
    d.TimeInt(seq=3),
    d.Utf8Pair("a", "b"),
    d.Vec3D([1, 2, 3]),
    c.Color([1, 2, 3]),
    c.LineStrip3D([[0, 0, 0], [1, 1, 1]]),
    c.MarkerShape.Plus,
    c.Position3DBatch([[1, 2, 3]]),
    c.VideoCodec.H264,
    c.ViewCoordinates.RDF,
    archetypes.Scalars(1.0),
]
OTHERS: list[Any] = [
    1 + 2j,
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.timedelta(1),
    frozenset({1}),
    int,
    memoryview(b"abc"),
    np.array(5.0),
    np.array([object()]),
    np.datetime64(1, "s"),
    np.float16(1),
    np.ma.masked_array([1, 2], [False, True]),
    object(),
    pa.array(["a"]),
    pa.array([1, None, 3]),
    pa.array([[1.0]]),
    Path("/no/such/file.png"),
    range(3),
    slice(1, 2),
    {"a": "b"},
    {1: 2},
]

numbers = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-2, 300),
    st.floats(),
    st.floats(-2, 2, width=32).map(np.float32),
)
single = st.one_of(
    st.none(),
    numbers,
    st.text(max_size=8),
    st.binary(max_size=8),
    st.sampled_from(NATIVES),
    st.sampled_from(OTHERS),
)
nested = st.recursive(
    single, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner), max_leaves=12
)
DTYPES = ("u1", "i2", "i8", "f2", "f4", "f8", "?", "U3", "S2", ">f4", "u4", "M8[ns]", "c16")
arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
values = st.one_of(nested, arrays, arrays.map(np.ndarray.tolist))


def parameters(cls: type[Archetype]) -> list[str]:
    return [name for name in inspect.signature(cls).parameters if name != "self"]


def given_arguments(cls: type[Archetype], data: st.DataObject) -> dict[str, Any]:
    names = data.draw(st.lists(st.sampled_from(parameters(cls)), unique=True, max_size=4))
    required = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    return {name: data.draw(values, label=name) for name in {*required, *names}}


def assert_whole(made: Archetype) -> None:
    """Every column of its row is valid Arrow data, and the row can be written."""
    batches = made.as_component_batches()
    for batch in batches:
        batch.as_arrow_array().validate(full=True)
    form, fixed, objects = row_of(made)
    assert len(form.columns) == len(batches)
    if batches:
        written = to_record_batch(single_row_chunk("/x", (form, fixed, objects), ids, 1))
        written.validate(full=True)
        assert written.num_rows == 1


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(
    max_examples=CASES_PER_CLASS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_anything_at_all(cls: type[Archetype], data: st.DataObject) -> None:
    arguments = given_arguments(cls, data)
    with warnings.catch_warnings(record=True) as caught, errors.strict_scope(False):
        warnings.simplefilter("always")
        lenient = attempt(cls, arguments)
    if isinstance(lenient, Archetype):
        assert_whole(lenient)
    own = [str(item.message) for item in caught if issubclass(item.category, errors.RerunWarning)]
    assert all(text.startswith(f"{cls.__name__}") for text in own if "packed" not in text), own

    with warnings.catch_warnings(), errors.strict_scope(True):
        warnings.simplefilter("ignore")
        strict = attempt(cls, arguments)
    if isinstance(strict, Archetype):
        assert_whole(strict)
        assert isinstance(lenient, Archetype)
        assert not [text for text in own if "packed" not in text]
    else:
        # What is refused in strict mode is told of in the other, too.
        assert own or not isinstance(lenient, Archetype)


def attempt(cls: type[Archetype], arguments: dict[str, Any]) -> Archetype | Exception:
    """What comes of a call; any other error than those expected fails the test."""
    try:
        return cls(**arguments)
    except OSError as error:
        return error
    except (TypeError, ValueError, OverflowError) as error:
        refusal = error
    text = str(refusal)
    assert text.startswith(f"{cls.__name__}: "), repr(refusal)
    assert any(name in text.partition(": ")[2] for name in named(cls)), text
    return refusal


def named(cls: type[Archetype]) -> set[str]:
    """What an error may be about: the parameters, the fields, or the thing itself."""
    return {*parameters(cls), *(field.name for field in cls.FIELDS)}
