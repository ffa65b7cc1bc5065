"""A persistent sparse array: every change gives a new array that shares what is unchanged."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

_BITS: Final = 4
_WIDTH: Final = 1 << _BITS
_MASK: Final = _WIDTH - 1
_EMPTY_NODE: Final[tuple[Any, ...]] = (None,) * _WIDTH

SparseArray: TypeAlias = tuple[int, tuple[Any, ...]]
"""Height and root of a 16-way tree; its leaves hold the values."""

EMPTY: Final[SparseArray] = (0, _EMPTY_NODE)


def get(array: SparseArray, index: int) -> Any:
    """The value at an index, ``None`` where nothing was put."""
    height, node = array
    if index >> (_BITS * (height + 1)):
        return None
    for level in range(height, 0, -1):
        node = node[(index >> (_BITS * level)) & _MASK]
        if node is None:
            return None
    return node[index & _MASK]


def put(array: SparseArray, index: int, value: Any) -> SparseArray:
    """A new array with one value replaced; costs one short node per level, whatever the size."""
    height, root = array
    while index >> (_BITS * (height + 1)):
        root = (root, *_EMPTY_NODE[1:])
        height += 1
    return (height, _put(root, height, index, value))


def _put(node: tuple[Any, ...] | None, level: int, index: int, value: Any) -> tuple[Any, ...]:
    if node is None:
        node = _EMPTY_NODE
    position = (index >> (_BITS * level)) & _MASK
    child = value if level == 0 else _put(node[position], level - 1, index, value)
    return (*node[:position], child, *node[position + 1 :])
