"""The base of native values: one instance of a datatype or component as a Python object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from aiorerun.types.encoding import Captured, Encoding


class Native:
    """One instance, e.g. a ``Quaternion`` or a ``Color``.

    Natives never change, so a batch or an archetype may keep what they hold.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding]

    def _captured(self) -> Captured:
        """The instance in a shape of its encoding."""
        raise NotImplementedError


def is_of(value: Any, encoding: Encoding) -> bool:
    """Whether a value is a native of this encoding."""
    return isinstance(value, Native) and value.ENCODING is encoding


def captured(value: Any) -> Captured:
    """What a native holds."""
    native: Native = value
    return native._captured()
