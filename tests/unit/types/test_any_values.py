"""Values without an archetype that defines them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun import components as c, errors
from aiorerun.types import any_values
from aiorerun.types.any_values import AnyBatchValue, AnyValues, DynamicArchetype
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARRAY, FIXED, TEXT, TEXTS


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_values, "_known", {})
    monkeypatch.setattr(any_values, "_plans", {})
    monkeypatch.setattr(any_values, "_warned", set())


def content(values: DynamicArchetype) -> dict[str, Any]:
    return {
        str(batch.component_descriptor()): batch.as_arrow_array().to_pylist()
        for batch in values.component_batches
    }


def types(values: DynamicArchetype) -> list[str]:
    return [str(batch.as_arrow_array().type) for batch in values.component_batches]


def test_plain_values_are_kept_as_cheaply_as_those_of_archetypes() -> None:
    values = AnyValues(
        a=1.5, b=2, c=True, d="x", e=np.float32(1), f=[1.0], g=["a", "b"], h=np.arange(2, dtype="u1")
    )
    shapes = [spec.shape for spec in values._row[0].columns]
    assert shapes == [FIXED, FIXED, FIXED, TEXT, FIXED, ARRAY, TEXTS, ARRAY]
    assert types(values) == ["double", "int64", "bool", "string", "float", "double", "string", "uint8"]
    assert AnyValues(a=1.5)._row[0] is AnyValues(a=2.5)._row[0]


def test_later_changes_do_not_reach_the_values() -> None:
    numbers, times = np.zeros(3), np.zeros(2, "datetime64[ns]")
    values = AnyValues(a=numbers, b=times)
    numbers[:] = 7
    times[:] = np.datetime64(7, "ns")
    assert content(values)["a"] == [0, 0, 0]
    assert [item.value for item in values.component_batches[1].as_arrow_array()] == [0, 0]


def test_the_first_type_of_a_component_is_kept() -> None:
    assert types(AnyValues(a=1)) == ["int64"]
    with pytest.warns(
        errors.RerunWarning, match="values of a are of type int64 .* double is converted"
    ) as caught:
        assert content(AnyValues(a=2.0)) == {"a": [2]}
    assert caught[0].filename == __file__
    # Told once only.
    assert content(AnyValues(a=3.0)) == {"a": [3]}
    with pytest.warns(errors.RerunWarning, match="Converting data for 'a'"):
        assert content(AnyValues(a=2.5)) == {}
    with pytest.warns(errors.RerunWarning, match="of type int64 since .*, but now came string"):
        assert content(AnyValues(a="x", b=1)) == {"b": [1]}
    assert types(AnyValues(a=[])) == types(AnyValues(a=None)) == ["int64"]
    assert content(AnyValues(a=[None, 1])) == {"a": [None, 1]}


def test_a_type_is_kept_for_any_kind_of_value() -> None:
    first = AnyValues(day=dt.date(2026, 1, 2))
    again = AnyValues(day=[dt.date(2026, 1, 3)])
    assert types(first) == types(again) == ["date32[day]"]
    assert first._row[0] is again._row[0]


def test_nothing_to_log_is_told_of_when_it_is_logged() -> None:
    values = AnyValues(a=None, b=[], c="")
    assert not hasattr(values, "_row")
    with pytest.warns(errors.RerunWarning, match="AnyValues: ValueError.there is no component"):
        assert values.as_component_batches() == []
    with errors.strict_scope(True), pytest.raises(ValueError, match="does not tell its type"):
        AnyValues(False, a=None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"ab", "binary"),
        (uuid.UUID(int=1), "extension<arrow.uuid>"),
        (decimal.Decimal("1.5"), "decimal128(2, 1)"),
        ([[1], [2, 3]], "list<item: int64>"),
        ({"a": 1}, "string"),
        ([{"a": 1}], "struct<a: int64>"),
        (np.datetime64(5, "ns"), "timestamp[ns]"),
        (pa.chunked_array([[1], [2]]), "int64"),
        (c.Color([1, 2, 3]), "uint32"),
        (c.ColorBatch([[1, 2, 3]]), "uint32"),
    ],
)
def test_values_of_other_kinds(value: Any, wanted: str) -> None:
    assert types(AnyValues(a=value)) == [wanted]


@pytest.mark.parametrize("value", [object(), 1 + 2j, 1 << 70, np.zeros((2, 2)), [None], ["a", object()]])
def test_values_of_no_kind(value: Any) -> None:
    with pytest.warns(errors.RerunWarning, match="Converting data for 'a'"):
        assert content(AnyValues(a=value, b=1)) == {"b": [1]}
    with errors.strict_scope(True), pytest.raises((TypeError, ValueError, OverflowError)):
        AnyValues(a=value)


def test_the_switch_is_a_switch() -> None:
    with pytest.warns(
        errors.RerunWarning, match=r"`drop_untyped_nones` is True or False, not Color; .*components="
    ):
        assert content(AnyValues(c.Color(1), a=1)) == {"a": [1]}  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_components_can_be_added() -> None:
    values = AnyValues(a=1).with_component_from_data("b", [1.5]).with_component_override("c", "my.Type", "x")
    assert content(values) == {"a": [1], "b": [1.5], "c": ["x"]}
    assert values.component_batches[2].component_descriptor() == ComponentDescriptor(
        "c", component_type="my.Type"
    )
    assert content(values.with_component_from_data("a", 5).with_component_from_data("b", None)) == {
        "a": [5], "b": [], "c": ["x"],
    }  # fmt: skip
    assert repr(AnyValues(a=1)) == "AnyValues(a=[1])"


def test_archetypes_of_your_own() -> None:
    values = DynamicArchetype("mine", components={"a": 1}).with_component_from_data("b", "x")
    assert content(values) == {"mine:a": [1], "mine:b": ["x"]}
    assert {batch.component_descriptor().archetype for batch in values.as_component_batches()} == {"mine"}
    own = ComponentDescriptor("x", archetype="other")
    assert content(DynamicArchetype("mine").with_component_from_data(own, 1)) == {"x": [1]}


def test_columns() -> None:
    columns = AnyValues.columns(a=[1, 2], b=[[1.0], [2.0, 3.0]], c=[None, "x"], d=None, e=[[1], None])
    rows = {str(column.component_descriptor()): column.as_arrow_array().to_pylist() for column in columns}
    assert rows == {
        "a": [[1], [2]], "b": [[1.0], [2.0, 3.0]], "c": [[None], ["x"]], "e": [[1], []],
    }  # fmt: skip
    (column,) = DynamicArchetype.columns("mine", components={"a": [1]})
    assert column.component_descriptor() == ComponentDescriptor("mine:a", "mine")
    with pytest.warns(errors.RerunWarning, match="Converting data for 'a'"):
        assert len(AnyValues.columns(a=[[1], ["x"]])) == 0


def test_single_batches() -> None:
    batch = AnyBatchValue("a", 1)
    assert batch.is_valid()
    assert batch.as_arrow_array().to_pylist() == [1]
    assert batch.component_descriptor() == ComponentDescriptor("a")
    nothing = AnyBatchValue("b", None)
    assert not nothing.is_valid()
    with pytest.raises(ValueError, match="b has no value"):
        nothing.as_arrow_array()
    assert AnyBatchValue("c", [[1], [2, 3]], expect_column=True).as_arrow_array().to_pylist() == [1, 2, 3]


def test_plans_are_bounded_and_never_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_values, "_PLANS_LIMIT", 2)
    for name in "abcde":
        given: dict[str, Any] = {name: 1}
        assert content(AnyValues(**given)) == {name: [1]}
        assert len(any_values._plans) <= 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The value fits its type but not the encoding: the plan fails, the closer look tells.
        assert content(AnyValues(a=1 << 70)) == {}
        assert content(AnyValues(s="\ud800")) == {}


@pytest.mark.parametrize("wrong", ["", "caf\udce9", 5])
def test_a_name_that_cannot_be_costs_its_own_component_only(wrong: Any) -> None:
    components = {wrong: 1, "good": 2}
    with pytest.warns(errors.RerunWarning, match="component"):
        values = DynamicArchetype("Own", components=components)
    assert content(values) == {"Own:good": [2]}
    with pytest.warns(errors.RerunWarning, match="component"):
        columns = DynamicArchetype.columns("Own", components=components)
    assert [str(column.component_descriptor()) for column in columns] == ["Own:good"]
    with pytest.warns(errors.RerunWarning, match="component"):
        values.with_component_from_data(wrong, 3)
    assert content(values) == {"Own:good": [2]}
    with errors.strict_scope(True), pytest.raises((TypeError, ValueError), match="component"):
        DynamicArchetype("Own", components=components)


def test_an_empty_archetype_is_none() -> None:
    assert content(DynamicArchetype("", components={"x": 1})) == {"x": [1]}
