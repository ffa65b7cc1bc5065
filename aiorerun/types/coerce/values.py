"""What the families of encodings share: wording of errors, and a few looks at a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from aiorerun.types.native import Native

if TYPE_CHECKING:
    import pyarrow as pa

_SHORT = 60


def described(value: Any) -> str:
    """A short description of a value for an error message."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {shape} and dtype {getattr(value, 'dtype', None)}"
    text = repr(value)
    if len(text) > _SHORT:
        text = text[: _SHORT - 1] + "…"
    return f"{type(value).__name__} {text}"


def refusal(value: Any, accepted: str, error: Exception | None = None) -> Exception:
    """The error for a value that does not fit, of the same built-in kind as ``error``."""
    message = f"expected {accepted}, got {described(value)}"
    if error is None:
        return ValueError(message)
    message = f"{message} ({error})"
    for kind in (OverflowError, ValueError, TypeError):
        if isinstance(error, kind):
            return kind(message)
    return TypeError(message)


def is_numpy(kind: type) -> bool:
    """Whether a type is numpy's own, found out without importing numpy."""
    return kind.__module__ == "numpy"


def is_arrow_array(value: Any) -> TypeGuard[pa.Array[Any]]:
    """Whether a value is an Arrow array, found out without importing pyarrow."""
    if type(value).__module__.partition(".")[0] != "pyarrow":
        return False
    import pyarrow as pa

    return isinstance(value, pa.Array)


def numbers_of(array: pa.Array[Any]) -> Any:
    """What numpy makes numbers of: lists of numbers in Arrow are rows."""
    import pyarrow as pa

    if pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return array.to_pylist()
    return array.to_numpy(zero_copy_only=False)


def first_axis(value: Any, size: int) -> int:
    """How many rows an array of numbers stands for, given how many instances were found in it."""
    if isinstance(value, Native | str):
        return size
    try:
        return len(value)
    except TypeError:
        return 1
