"""Arrays of other libraries, taken over by the protocols they offer: no library is imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_OWN: Final = frozenset({"aiorerun", "builtins", "numpy", "pyarrow"})


def is_own(kind: type) -> bool:
    """Whether a type is of Python, numpy, Arrow or this package, and needs no protocol."""
    return kind.__module__.partition(".")[0] in _OWN


def holds_arrow(kind: type) -> bool:
    """Whether values of a type are, or share, Arrow data."""
    return (
        kind.__module__.partition(".")[0] == "pyarrow"
        or hasattr(kind, "__arrow_c_array__")
        or hasattr(kind, "__arrow_c_stream__")
    )


def plain_array(value: Any) -> Any:
    """An array of another library as one of numpy or Arrow; any other value as it is.

    By the first protocol that works: numpy's, DLPack (tensors), a ``numpy()`` method (tensors on another
    device, or that gradients are computed for), Arrow's C interface (series and columns). The result may
    share memory with the object: whoever keeps it copies it.
    """
    kind = type(value)
    if is_own(kind):
        return value
    if hasattr(kind, "__dlpack__"):
        return _tensor(value)
    if hasattr(kind, "__array__"):
        import numpy as np

        return np.asarray(value)
    if hasattr(kind, "__array_interface__"):
        # Pictures: numpy understands them where an array is needed; elsewhere they are no numbers.
        return value
    if hasattr(kind, "__arrow_c_array__"):
        import pyarrow as pa

        return pa.array(value)
    if hasattr(kind, "__arrow_c_stream__"):
        import pyarrow as pa

        return pa.chunked_array(value).combine_chunks()
    return value


def _tensor(value: Any) -> Any:
    """A tensor as an array of numpy, by the first way that works."""
    import numpy as np

    problem: Exception | None = None
    ways: list[Callable[[Any], Any]] = [np.from_dlpack]
    if hasattr(value, "__array__"):
        ways.insert(0, np.asarray)
    if hasattr(value, "numpy"):
        ways.append(lambda tensor: tensor.numpy(force=True))
    for way in ways:
        try:
            return way(value)
        except Exception as error:
            problem = error
    assert problem is not None
    raise TypeError(
        f"this {type(value).__name__} gives no numbers ({type(problem).__name__}: {problem}); move it to the "
        "memory of the CPU, in a type that numpy has, e.g. float32"
    ) from problem
