"""Coercion against what the official SDK makes of the same inputs."""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest

from aiorerun import errors
from aiorerun.types import any_values
from aiorerun.types.any_values import AnyBatchValue
from tests import recipes

DATA = recipes.load("coercions.json")

FIRST_AXIS = "the first axis is the instances, whatever the number of axes; nothing is dropped"
NO_COLOR = "texts, complex numbers and arrays whose last axis is not 3 or 4 are no colors"
NO_INSTANCE = "an empty sequence is no instance"
NOTHING_DROPPED = "points of three numbers are no points in 2D"
ONE_TEXT = "a text is one column, not one per letter"
ONE_NUMBER = "a part is one number"
THREE_AXES = "np_f32_1x2x3 np_f32_2x15x3 np_f32_2x1x3 np_f32_2x2x3 np_f32_2x3x3 np_u8_2x2x3"
DIFFERENT = {
    "Blob": {
        "bytes in one object are one blob": "bytearray_abc memoryview_abc",
        FIRST_AXIS: "np_f32_1x2x3 np_f32_2x15x3 np_f32_2x1x3 np_f32_2x2x2 np_f32_2x2x3 np_f32_2x3x3 "
        "np_u8_2x2x3",
        "a single number or a text is no blob": "npscalar_bool npscalar_float32 npscalar_float64 "
        "npscalar_int64 npscalar_uint32 npscalar_uint8 str_int",
    },
    "Rgba32": {
        NO_COLOR: "complex list_number_strs list_of_lists_2x2 list_of_ndarrays_2 list_of_ndarrays_nx3 "
        "np_f32_2x2 np_f32_2x2x2 np_f64_2x2 np_u8_2x16 str_int str_empty pil_l_3x2",
        FIRST_AXIS: "list_strips_2x2x3 np_f32_2x15x3 np_f32_2x2x3 np_f32_2x3x3 np_u8_2x2x3",
        "half-precision floats are fractions like the others": "np_f16_3",
        "whole numbers of any kind are colors": "npscalar_uint8 np_0d_float64",
        "missing values count as 0": "pa_float64",
        "batches are accepted": "batch_color",
    },
    "Float64": {"batches are accepted": "batch_scalar"},
    "Vec3D": {"batches are accepted": "batch_position3d"},
    "Utf8": {
        "batches have a better repr": "batch_blob batch_color batch_position3d batch_scalar",
        "batches are accepted": "batch_text",
    },
    "EntityPath": {
        "batches have a better repr": "batch_blob batch_color batch_position3d batch_scalar batch_text"
    },
    "AnnotationContext": {"several natives are several instances": "own.native_list"},
    "ChannelMessageCounts": {
        "dictionaries are accepted, as annotated": "dict_empty dict_int_int",
        NO_INSTANCE: "bytes_empty list_empty np_f32_0x3 np_f32_empty str_empty tuple_empty",
    },
    "ChannelCountPair": {
        ONE_NUMBER: "list_strips_2x2x3 np_f32_1x2x3 np_f32_2x15x3 np_f32_2x2x2 np_f32_2x2x3 np_f32_2x3x3 "
        "np_u8_2x2x3",
        "numpy warns once per value": "np_f32_nan",
    },
    "GeoLineString": {NOTHING_DROPPED: THREE_AXES},
    "LineStrip2D": {NOTHING_DROPPED: THREE_AXES},
    "KeyValuePairs": {
        "pairs are accepted, as in the constructor": "list_of_lists_2x2 list_of_lists_3x2 list_of_ndarrays_2 "
        "list_pairs_of_str list_strips_2x2x3 list_tuple_pairs_of_str",
        NO_INSTANCE: "np_f32_0x3 np_f32_empty",
        "arrays of numbers are no texts": "np_f32_1x2x3 np_f32_2x2x3 np_u8_2x2x3",
        "the first axis is the instances": "np_f32_2x2x2",
    },
    "Mat4x4": {"natives are not transposed a second time": "own.native_list"},
    "TensorBuffer": {NO_INSTANCE: "list_empty tuple_empty"},
    "TensorDimensionSelection": {
        NO_INSTANCE: "np_f32_0x3 np_f32_empty",
        "an array without axes is no dimension": "np_0d_int64",
    },
    "TimeRangeBoundary": {
        "iterators are sequences": "iterator_1_2_3",
        "arrays without axes are numbers": "np_0d_float64 np_0d_int64",
        "sequences without numbers are no times": "list_of_empty list_of_two_empty",
        "pictures are no times": "pil_l_3x2 pil_rgb_2x2",
    },
    "TensorData": {"unsigned 64-bit integers are accepted": "int_2pow63"},
    "ViewCoordinates": {"bytes are no directions": "bytesio_abc"},
    "ColumnOrder": {
        ONE_TEXT: "str_hello str_number",
        "several natives are several instances": "own.native_list",
    },
    "SelectedColumns": {ONE_TEXT: "str_hello str_number", "bytes are no columns": "bytesio_abc"},
    "TensorDimensionIndexSlider": {
        "a number is a dimension": "bool_false bool_true int_0 int_1 int_300 int_5 int_70000 "
        "int_color_ff8800ff"
    },
    "TextLogColumn": {"a column without a kind is none": "list_1_none list_none list_none_1"},
    "TimelineColumn": {ONE_TEXT: "str_hello str_number"},
}
"""By encoding and reason; documented in docs/differences.md."""

OTHER_ERRORS = {
    "AnnotationContext": "*",
    "AnnotationInfo": "*",
    "ChannelCountPair": "*",
    "ChannelMessageCounts": "*",
    "ClassDescription": "*",
    "ClassDescriptionMapElem": "*",
    "KeyValuePairs": "*",
    "KeypointPair": "*",
    "TensorBuffer": "*",
    "Utf8Pair": "*",
    "ComponentColumnSelector": "*",
    "FilterIsNotNull": "*",
    "SelectedColumns": "*",
    "TensorDimensionIndexSlider": "*",
    "TextLogColumn": "*",
    "TimelineColumn": "*",
    "GeoLineString": "pa_float64 pa_int64 pil_l_3x2 pil_rgb_2x2",
    "LineStrip2D": "pa_float64 pa_int64 pil_l_3x2 pil_rgb_2x2",
    "Mat4x4": "npscalar_str pil_l_3x2 pil_rgb_2x2",
    "TimeRangeBoundary": "pa_utf8 uuid",
    "Blob": "npscalar_str str_hello str_number",
    "Mat3x3": "npscalar_str pil_l_3x2 pil_rgb_2x2",
    "Rgba32": "uuid npscalar_float32 npscalar_float64",
    "TensorData": "batch_blob batch_color batch_position3d batch_scalar batch_text bytesio_abc int_2pow64 "
    "iterator_1_2_3 np_object_2 object path",
    "ViewCoordinates": "list_of_ndarrays_nx2 list_of_ndarrays_nx3 np_f32_1x2x3 np_f32_2x15x3 np_f32_2x1x3 "
    "np_f32_2x2x2 np_f32_2x2x3 np_f32_2x3x1 np_f32_2x3x3 np_u8_2x2x3",
}
"""Refused by both, one with TypeError and the other with ValueError. ``*``: wherever it is refused."""

ADDRESS = re.compile("0x[0-9A-Fa-f]+")


def cases() -> list[tuple[str, str]]:
    return [(name, given) for name, spec in DATA["batches"].items() for given in spec["results"]]


def difference(name: str, given: str) -> str | None:
    """What a batch of this type makes of an input otherwise than recorded; ``"kind"`` of error alone."""
    spec = DATA["batches"][name]
    wanted = spec["results"][given]
    folder = Path(tempfile.gettempdir())
    try:
        value = recipes.make(DATA["inputs"].get(given, spec["own_inputs"].get(given)), folder)
    except AttributeError:
        # A type that is not part of the vocabulary.
        return None
    with warnings.catch_warnings(record=True) as caught, errors.strict_scope(True):
        warnings.simplefilter("always")
        try:
            array = recipes.resolve(f"{name}Batch")(value).as_arrow_array()
        except Exception as error:
            if "error" not in wanted:
                return f"refused: {error!r}"
            same = recipes.family(wanted["error"]) == recipes.family(type(error).__name__)
            return None if same else "kind"
    if "error" in wanted:
        return f"accepted: {array.to_pylist()}"
    values = recipes.plain(array.to_pylist(), 24)
    if masked(values) != masked(wanted["values"]):
        return f"{values}, not {wanted['values']}"
    return None if len(caught) == wanted.get("warnings", 0) else f"{len(caught)} warnings"


def masked(value: Any) -> Any:
    """Values without the addresses of objects."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    return ADDRESS.sub("0x…", value) if isinstance(value, str) else value


def short(name: str) -> str:
    return name.rpartition(".")[2]


@pytest.mark.parametrize("name", DATA["batches"])
def test_batches_are_as_the_official_ones(name: str) -> None:
    known = {given for inputs in DIFFERENT.get(short(name), {}).values() for given in inputs.split()}
    kinds = set(OTHER_ERRORS.get(short(name), "").split())
    found = {given: difference(name, given) for given in DATA["batches"][name]["results"]}
    different = {given: text for given, text in found.items() if text not in (None, "kind")}
    assert {given: text for given, text in different.items() if given not in known} == {}
    if kinds != {"*"}:
        assert {given for given, text in found.items() if text == "kind"} - kinds == set()
    assert known - set(different) == set(), "no longer different"


def test_at_least_99_percent_are_the_same() -> None:
    everything = cases()
    documented = sum(len(inputs.split()) for by_reason in DIFFERENT.values() for inputs in by_reason.values())
    assert documented / len(everything) < 0.01


ANY_DIFFERENT = {
    ("value", "np_0d_float64"): "an array without axes is a single value",
    ("value", "np_0d_int64"): "an array without axes is a single value",
    ("column", "np_0d_float64"): "an array without axes is a single value",
    ("column", "np_0d_int64"): "an array without axes is a single value",
    ("column", "batch_blob"): "each instance of a batch is a row",
    ("column", "list_str_int"): "mixed values become text, as in a single value",
    ("column", "np_datetime64_ns_2"): "nanoseconds are kept",
    ("column", "np_timedelta64_ns_2"): "nanoseconds are kept",
}
"""Documented in docs/differences.md."""


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_values, "_known", {})


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (kind, name)
        for kind in ("value", "column")
        for name in DATA["any_values"]
        if (kind, name) not in ANY_DIFFERENT
    ],
)
def test_any_values_have_the_types_of_the_official_ones(given: str, kind: str, tmp_path: Path) -> None:
    wanted = DATA["any_values"][given][kind]
    value = recipes.make(DATA["inputs"][given], tmp_path)
    with errors.strict_scope(True):
        if "error" in wanted:
            with pytest.raises((ValueError, TypeError, OverflowError)):
                AnyBatchValue("x", value, expect_column=kind == "column")
            return
        if kind == "column":
            column = AnyBatchValue.column("x", value)
            array = None if column is None else column.as_arrow_array()
        else:
            batch = AnyBatchValue("x", value)
            array = batch.as_arrow_array() if batch.is_valid() else None
    if wanted.get("dropped"):
        assert array is None
        return
    assert array is not None
    assert str(array.type) == wanted["type"]
    if "datetime" not in given and "timedelta" not in given and given != "uuid":
        assert masked(recipes.plain(array.to_pylist(), 24)) == masked(wanted["values"])
