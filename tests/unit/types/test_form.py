"""Forms: interned shapes of rows, and the encodings and flat arrays they are made of."""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.types.coerce.catalog import FLOAT64, UTF8
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARRAY, ARROW, BLOB, DYNAMIC, FIXED, TEXT, TEXTS, Encoding
from aiorerun.types.flat import Pieces
from aiorerun.types.form import ColumnSpec, Form

A, B, C = (ComponentDescriptor(name) for name in "abc")


def test_equal_columns_are_one_form() -> None:
    columns = [ColumnSpec(A, FLOAT64, FIXED), ColumnSpec(B, UTF8, TEXT)]
    assert Form.of(columns) is Form.of(tuple(columns))
    assert Form.of(columns) is not Form.of(columns[::-1])
    assert Form.of(columns) is not Form.of([ColumnSpec(A, FLOAT64, ARRAY), columns[1]])


def test_forms_nobody_uses_are_forgotten() -> None:
    columns = (ColumnSpec(ComponentDescriptor("forgotten"), FLOAT64, FIXED),)
    form = Form.of(columns)
    assert columns in Form._interned
    del form
    gc.collect()
    assert columns not in Form._interned


def test_a_row_is_split_into_its_columns() -> None:
    form = Form.of([ColumnSpec(A, FLOAT64, FIXED), ColumnSpec(B, UTF8, TEXT), ColumnSpec(C, FLOAT64, FIXED)])
    assert form.fixed_width == 16
    assert [spec.descriptor for spec in form.objects] == [B]
    fixed = np.array([1.0, 2.0]).tobytes()
    assert form.split(fixed, ("text",)) == [fixed[:8], "text", fixed[8:]]


@pytest.mark.parametrize(
    ("shape", "value", "size"),
    [
        (TEXT, "abc", 3),
        (TEXTS, ("abc", "de"), 5),
        (BLOB, b"1234", 4),
        (BLOB, np.zeros(7, np.uint8), 7),
        (ARRAY, np.zeros((2, 3)), 48),
        (ARROW, pa.array([1, 2, 3]), 24),
    ],
)
def test_the_bytes_that_data_holds_on_to(shape: int, value: object, size: int) -> None:
    form = Form.of([ColumnSpec(A, FLOAT64, shape)])
    assert [sizer(value) for sizer in form.sizers] == [size]


class Doubles(Encoding):
    """An encoding that says as little as it can."""

    def capture(self, value: object) -> tuple[int, object]:
        return (ARROW, pa.array(value))


def test_what_an_encoding_does_unless_it_says_otherwise() -> None:
    encoding = Doubles()
    assert encoding.width == 0
    assert encoding.converter(list) == (DYNAMIC, encoding.capture)
    shape, data = encoding.empty()
    assert (shape, len(data)) == (ARROW, 0)
    assert encoding.rows_of([1, 2, 3], 3) == 3
    raw = np.zeros((1, 8), np.uint8)
    for call in (
        encoding.arrow_type,
        lambda: Encoding().capture(1),
        lambda: encoding.fixed_column(raw),
        lambda: encoding.array_column(raw),
        lambda: encoding.blob_column([b""]),
        lambda: encoding.packed_column([]),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_pieces_are_a_buffer_in_several_parts() -> None:
    parts = [np.zeros(3), np.ones(2)]
    assert tuple(Pieces(parts)) == tuple(parts)
