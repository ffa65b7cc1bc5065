"""The persistent sparse array behaves like a dict, and old versions stay as they were."""

from __future__ import annotations

from hypothesis import given, strategies as st

from aiorerun.types import sparse

INDEXES = st.integers(0, 70_000)


@given(st.lists(st.tuples(INDEXES, st.integers())))
def test_behaves_like_a_dict(changes: list[tuple[int, int]]) -> None:
    array, expected = sparse.EMPTY, {}
    for index, value in changes:
        array = sparse.put(array, index, value)
        expected[index] = value
    for index in [*expected, 0, 15, 16, 255, 256, 69_999, 1 << 40]:
        assert sparse.get(array, index) == expected.get(index)


@given(st.lists(INDEXES, min_size=1, unique=True))
def test_former_versions_are_unchanged(indexes: list[int]) -> None:
    versions = [sparse.EMPTY]
    for index in indexes:
        versions.append(sparse.put(versions[-1], index, "new"))
    for count, version in enumerate(versions):
        present = [index for index in indexes if sparse.get(version, index) == "new"]
        assert present == indexes[:count]
