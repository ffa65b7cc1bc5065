"""Text: labels, names, levels, media types, frame ids and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.types.coerce.foreign import is_own, plain_array
from aiorerun.types.coerce.values import is_arrow_array, is_numpy, refusal
from aiorerun.types.encoding import ARROW, DYNAMIC, TEXT, TEXTS, Captured, Converter, Encoding
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_ACCEPTED = "text or a sequence of texts"


class TextEncoding(Encoding):
    """UTF-8 strings. What is not a string is turned into one, as ``str()`` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TextEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.utf8()

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is str:
            return TEXT, writable
        if issubclass(kind, Native):
            return TEXT, str
        return DYNAMIC, self.capture

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, str):
            return TEXT, writable(str(value))
        if value is None:
            return TEXTS, ()
        value = _texts(value)
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if is_numpy(type(value)) and type(value).__name__ == "ndarray":
            return TEXTS, self._from_array(value)
        if isinstance(value, bytes | bytearray | memoryview | list | tuple | range):
            return TEXTS, tuple([writable(str(item)) for item in value])
        return TEXT, writable(str(value))

    def _from_array(self, value: Any) -> Sequence[str]:
        if value.ndim != 1:
            raise refusal(value, _ACCEPTED)
        if value.dtype.kind not in "UO":
            raise refusal(value, _ACCEPTED, TypeError("not an array of strings"))
        items = value.tolist()
        if not all(isinstance(item, str) for item in items):
            raise refusal(value, _ACCEPTED, TypeError("not every element is a string"))
        return tuple([writable(item) for item in items])


def _texts(value: Any) -> Any:
    """A series or column of texts of another library as an array; any other value as it is."""
    kind = type(value)
    if is_own(kind):
        return value
    if hasattr(kind, "__arrow_c_array__") or hasattr(kind, "__arrow_c_stream__"):
        if hasattr(kind, "__array__"):
            import numpy as np

            return np.asarray(value, object)
        return plain_array(value)
    return value


def writable(text: str) -> str:
    """The text, if it can be written as UTF-8; lone surrogates cannot."""
    if not text.isascii():
        # Found out now, where the caller can be told, not later when the whole chunk would fail.
        text.encode()
    return text
