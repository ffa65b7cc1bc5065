"""Names for the axes of coordinate systems, such as ``RDF``: x right, y down, z forward."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiorerun.components.extended import ViewCoordinates


class AxesConstants:
    """The names. They stand for components, which can be logged as they are."""

    __slots__ = ()

    BDL: ClassVar[ViewCoordinates]
    BDR: ClassVar[ViewCoordinates]
    BLD: ClassVar[ViewCoordinates]
    BLU: ClassVar[ViewCoordinates]
    BRD: ClassVar[ViewCoordinates]
    BRU: ClassVar[ViewCoordinates]
    BUL: ClassVar[ViewCoordinates]
    BUR: ClassVar[ViewCoordinates]
    DBL: ClassVar[ViewCoordinates]
    DBR: ClassVar[ViewCoordinates]
    DFL: ClassVar[ViewCoordinates]
    DFR: ClassVar[ViewCoordinates]
    DLB: ClassVar[ViewCoordinates]
    DLF: ClassVar[ViewCoordinates]
    DRB: ClassVar[ViewCoordinates]
    DRF: ClassVar[ViewCoordinates]
    FDL: ClassVar[ViewCoordinates]
    FDR: ClassVar[ViewCoordinates]
    FLD: ClassVar[ViewCoordinates]
    FLU: ClassVar[ViewCoordinates]
    FRD: ClassVar[ViewCoordinates]
    FRU: ClassVar[ViewCoordinates]
    FUL: ClassVar[ViewCoordinates]
    FUR: ClassVar[ViewCoordinates]
    LBD: ClassVar[ViewCoordinates]
    LBU: ClassVar[ViewCoordinates]
    LDB: ClassVar[ViewCoordinates]
    LDF: ClassVar[ViewCoordinates]
    LEFT_HAND_X_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_X_UP: ClassVar[ViewCoordinates]
    LEFT_HAND_Y_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_Y_UP: ClassVar[ViewCoordinates]
    LEFT_HAND_Z_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_Z_UP: ClassVar[ViewCoordinates]
    LFD: ClassVar[ViewCoordinates]
    LFU: ClassVar[ViewCoordinates]
    LUB: ClassVar[ViewCoordinates]
    LUF: ClassVar[ViewCoordinates]
    RBD: ClassVar[ViewCoordinates]
    RBU: ClassVar[ViewCoordinates]
    RDB: ClassVar[ViewCoordinates]
    RDF: ClassVar[ViewCoordinates]
    RFD: ClassVar[ViewCoordinates]
    RFU: ClassVar[ViewCoordinates]
    RIGHT_HAND_X_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_X_UP: ClassVar[ViewCoordinates]
    RIGHT_HAND_Y_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_Y_UP: ClassVar[ViewCoordinates]
    RIGHT_HAND_Z_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_Z_UP: ClassVar[ViewCoordinates]
    RUB: ClassVar[ViewCoordinates]
    RUF: ClassVar[ViewCoordinates]
    UBL: ClassVar[ViewCoordinates]
    UBR: ClassVar[ViewCoordinates]
    UFL: ClassVar[ViewCoordinates]
    UFR: ClassVar[ViewCoordinates]
    ULB: ClassVar[ViewCoordinates]
    ULF: ClassVar[ViewCoordinates]
    URB: ClassVar[ViewCoordinates]
    URF: ClassVar[ViewCoordinates]


_BY_UP_AXIS: Final = {
    "LEFT_HAND_X_DOWN": (2, 3, 5),
    "LEFT_HAND_X_UP": (1, 3, 6),
    "LEFT_HAND_Y_DOWN": (3, 2, 6),
    "LEFT_HAND_Y_UP": (3, 1, 5),
    "LEFT_HAND_Z_DOWN": (3, 5, 2),
    "LEFT_HAND_Z_UP": (3, 6, 1),
    "RIGHT_HAND_X_DOWN": (2, 3, 6),
    "RIGHT_HAND_X_UP": (1, 3, 5),
    "RIGHT_HAND_Y_DOWN": (3, 2, 5),
    "RIGHT_HAND_Y_UP": (3, 1, 6),
    "RIGHT_HAND_Z_DOWN": (3, 6, 2),
    "RIGHT_HAND_Z_UP": (3, 5, 1),
}

_LETTERS: Final = {"U": 1, "D": 2, "R": 3, "L": 4, "F": 5, "B": 6}


def named_axes() -> Iterator[tuple[str, Sequence[int]]]:
    """The names with the numbers of the directions."""
    # One of each pair of opposite directions, in any order.
    for order in permutations(("UD", "RL", "FB")):
        for choice in product(*order):
            yield "".join(choice), [_LETTERS[letter] for letter in choice]
    yield from _BY_UP_AXIS.items()
