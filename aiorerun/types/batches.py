"""Component batches and columns: values together with the name of the component they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, runtime_checkable

from aiorerun import errors
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARRAY, ARROW, DYNAMIC, FIXED, Captured, Converter, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


@runtime_checkable
class ComponentBatchLike(Protocol):
    """Anything that gives the values of one component as an Arrow array."""

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values, one element per instance."""
        ...


@runtime_checkable
class AsComponents(Protocol):
    """Anything that can be logged: it gives a list of component batches with their descriptors.

    Archetypes do; your own classes may too.
    """

    def as_component_batches(self) -> list[DescribedComponentBatch]:
        """What to log, one batch per component."""
        ...


class ComponentBatchMixin:
    """What batches of a known component type can do beside giving their values."""

    __slots__ = ()

    def component_type(self) -> str:
        """Full name of the semantic type, e.g. ``"rerun.components.Position3D"``."""
        raise NotImplementedError

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values, one element per instance."""
        raise NotImplementedError

    def described(self, descriptor: ComponentDescriptor) -> DescribedComponentBatch:
        """The batch together with the name of the component it is for, which is taken as it is."""
        return DescribedComponentBatch(self, descriptor)

    def partition(self, lengths: npt.ArrayLike | None = None) -> ComponentColumn:
        """Cuts the batch into rows of these lengths, for ``send_columns``; by default one instance each."""
        return ComponentColumn(self.component_type(), self, lengths=lengths)


class ComponentMixin:
    """What single components can do: each is also a batch of one."""

    __slots__ = ()

    ENCODING: ClassVar[Encoding]
    COMPONENT_TYPE: ClassVar[str]

    @classmethod
    def arrow_type(cls) -> pa.DataType:
        """The Arrow type of one instance."""
        return cls.ENCODING.arrow_type()

    @classmethod
    def component_type(cls) -> str:
        """Full name of the semantic type."""
        return cls.COMPONENT_TYPE

    def as_arrow_array(self) -> pa.Array[Any]:
        """The component as an array of one element."""
        return _as_arrow(self.ENCODING, self.ENCODING.capture(self))


class Batch:
    """Any number of instances of one type, copied from what was passed.

    Args:
        data: Anything the type can be made of; ``None`` makes an empty batch.
        strict: Whether data that does not fit raises; by default as in the rest of the program.
    """

    __slots__ = ("_data", "_encoding", "_shape")

    ENCODING: ClassVar[Encoding]

    def __init__(self, data: Any, strict: bool | None = None) -> None:
        self._encoding: Encoding = self.ENCODING
        try:
            self._shape, self._data = capture(self._encoding, data)
        except Exception as error:
            errors.report(type(self).__name__, error, strict=strict)
            self._shape, self._data = self._encoding.empty()

    @classmethod
    def of(cls, encoding: Encoding, captured: Captured) -> Self:
        """A batch of data that was captured before."""
        batch = cls.__new__(cls)
        batch._encoding = encoding
        batch._shape, batch._data = captured
        return batch

    def __reduce__(self) -> tuple[Callable[..., Batch], tuple[Any, ...]]:
        return _restored, (type(self), self._encoding, portable((self._shape, self._data)))

    def captured(self) -> tuple[Encoding, Captured]:
        """The encoding, and the data in one of its shapes."""
        return self._encoding, (self._shape, self._data)

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values, one element per instance."""
        return _as_arrow(self._encoding, (self._shape, self._data))

    def __len__(self) -> int:
        if self._shape == FIXED:
            return 1
        if self._shape == ARRAY:
            return len(self._data)
        return len(self.as_arrow_array())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Batch):
            return NotImplemented
        return type(self) is type(other) and self.as_arrow_array().equals(other.as_arrow_array())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.as_arrow_array().to_pylist()})"


def capture(encoding: Encoding, value: Any) -> Captured:
    """Captures a value, which may also be a batch of the same encoding."""
    if type(value).__name__ == "ndarray":
        try:
            return _captured_array(encoding, value)
        except Exception:
            # Whatever is wrong, or rare, the encoding knows better.
            return encoding.capture(value)
    if isinstance(value, Batch) and value._encoding is encoding:
        return value._shape, value._data
    return encoding.capture(value)


def _captured_array(encoding: Encoding, array: Any) -> Captured:
    """Captures an array the quickest way."""
    key = (encoding, type(array))
    converter = _converters.get(key)
    if converter is None:
        if len(_converters) >= _MAX_CONVERTERS:
            _converters.clear()
        converter = _converters[key] = encoding.converter(type(array))
    shape, convert = converter
    captured: Captured = convert(array) if shape == DYNAMIC else (shape, convert(array))
    return captured


_MAX_CONVERTERS: Final = 1024
_converters: dict[tuple[Encoding, type], Converter] = {}


class UntypedBatch(Batch):
    """Values of a component whose semantic type has no class here."""

    __slots__ = ()


class _OfficialTypeName:
    """``_COMPONENT_TYPE``: what the official SDK calls ``COMPONENT_TYPE``, and its examples use."""

    def __get__(self, instance: object, owner: type[ComponentBatch]) -> str:
        return owner.COMPONENT_TYPE


class ComponentBatch(Batch, ComponentBatchMixin):
    """Any number of instances of a component."""

    __slots__ = ()

    COMPONENT_TYPE: ClassVar[str]
    _COMPONENT_TYPE: Final = _OfficialTypeName()

    def component_type(self) -> str:
        """Full name of the semantic type."""
        return self.COMPONENT_TYPE


class ArrowBatch:
    """An Arrow array as a batch."""

    __slots__ = ("_array",)

    def __init__(self, array: pa.Array[Any]) -> None:
        self._array = array

    def __reduce__(self) -> tuple[Callable[..., ArrowBatch], tuple[bytes]]:
        from aiorerun.types.coerce.arrow import to_ipc

        return _arrow_batch_in, (to_ipc(self._array),)

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values, one element per instance."""
        return self._array


class DescribedComponentBatch:
    """A batch together with the name of the component it is for: what ``log`` takes in the end.

    Args:
        batch: The values.
        descriptor: Whose values they are.
    """

    __slots__ = ("_batch", "_descriptor")

    def __init__(self, batch: ComponentBatchLike, descriptor: ComponentDescriptor) -> None:
        self._batch = batch
        self._descriptor = descriptor

    @property
    def batch(self) -> ComponentBatchLike:
        """The values."""
        return self._batch

    def component_descriptor(self) -> ComponentDescriptor:
        """Whose values they are."""
        return self._descriptor

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values, one element per instance."""
        return self._batch.as_arrow_array()

    def partition(self, lengths: npt.ArrayLike | None = None) -> ComponentColumn:
        """Cuts the batch into rows of these lengths, for ``send_columns``; by default one instance each.

        Raises:
            ValueError: The lengths are not one-dimensional, or do not add up to the instances there are.
        """
        return ComponentColumn(self._descriptor, self._batch, lengths=lengths)

    def __repr__(self) -> str:
        return f"DescribedComponentBatch({self._batch!r}, {self._descriptor!r})"


class ComponentColumn:
    """The values of one component for many rows.

    Args:
        descriptor: Whose values they are; a plain string is a component identifier.
        component_batch: The values of all rows, one after the other.
        lengths: How many instances each row has; by default one each.
        offsets: Instead of the lengths: where each row starts, and at last where the values end.

    Raises:
        ValueError: Both lengths and offsets were given, or they do not go with the values.
    """

    __slots__ = ("_batch", "_descriptor", "_offsets", "_size")

    def __init__(
        self,
        descriptor: str | ComponentDescriptor,
        component_batch: ComponentBatchLike,
        *,
        lengths: npt.ArrayLike | None = None,
        offsets: npt.ArrayLike | None = None,
    ) -> None:
        self._descriptor = ComponentDescriptor(descriptor) if isinstance(descriptor, str) else descriptor
        self._batch = component_batch
        size = len(
            component_batch if isinstance(component_batch, Batch) else component_batch.as_arrow_array()
        )
        self._size = size
        # One instance per row is by far the most frequent case, and needs no offsets of its own.
        self._offsets: npt.NDArray[np.int32] | None = None
        if lengths is not None or offsets is not None:
            if lengths is not None and offsets is not None:
                raise ValueError("Cannot specify both `lengths` and `offsets`.")
            self._offsets = _offsets(self._descriptor, size, lengths, offsets)

    @property
    def batch(self) -> ComponentBatchLike:
        """The values of all rows."""
        return self._batch

    @property
    def has_unit_lengths(self) -> bool:
        """Whether each row was left to hold exactly one instance."""
        return self._offsets is None

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        """Row ``i`` holds the instances ``offsets[i]:offsets[i + 1]``."""
        if self._offsets is None:
            import numpy as np

            return np.arange(self._size + 1, dtype=np.int32)
        return self._offsets

    def component_descriptor(self) -> ComponentDescriptor:
        """Whose values they are."""
        return self._descriptor

    def as_arrow_array(self) -> pa.ListArray[Any]:
        """One list of instances per row."""
        import pyarrow as pa

        return pa.ListArray.from_arrays(pa.array(self.offsets), self._batch.as_arrow_array())

    def partition(self, lengths: npt.ArrayLike) -> ComponentColumn:
        """The same values cut into rows of other lengths."""
        return ComponentColumn(self._descriptor, self._batch, lengths=lengths)

    def __len__(self) -> int:
        return self._size if self._offsets is None else len(self._offsets) - 1

    def __repr__(self) -> str:
        return f"ComponentColumn({self._descriptor.component!r}, {len(self)} rows of {self._batch!r})"


class ComponentColumnList:
    """Columns of several components, as ``Archetype.columns`` gives them."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Iterable[ComponentColumn]) -> None:
        self._columns = list(columns)

    def __iter__(self) -> Iterator[ComponentColumn]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def partition(self, lengths: npt.ArrayLike) -> ComponentColumnList:
        """All columns cut into rows of these lengths."""
        return ComponentColumnList([column.partition(lengths) for column in self._columns])

    def __repr__(self) -> str:
        return f"ComponentColumnList({self._columns!r})"


def _as_arrow(encoding: Encoding, captured: Captured) -> pa.Array[Any]:
    from aiorerun.types.coerce.arrow import captured_to_arrow

    return captured_to_arrow(encoding, *captured)


def _offsets(
    descriptor: ComponentDescriptor, size: int, lengths: npt.ArrayLike | None, offsets: npt.ArrayLike | None
) -> npt.NDArray[np.int32]:
    import numpy as np

    if offsets is not None:
        given = np.array(offsets, np.int64)
        if (
            given.ndim != 1
            or not len(given)
            or given[0] < 0
            or (np.diff(given) < 0).any()
            or given[-1] > size
        ):
            raise ValueError(
                f"{descriptor}: offsets must be one-dimensional, ascending and within the {size} instances"
            )
        return given.astype(np.int32)
    counts = np.array(lengths)
    if counts.ndim != 1:
        raise ValueError(f"{descriptor}: lengths must be one-dimensional, not of shape {counts.shape}")
    counts = counts.astype(np.int64)
    if (counts < 0).any() or int(counts.sum()) != size:
        raise ValueError(
            f"{descriptor}: the lengths add up to {counts.sum()}, but there are {size} instances"
        )
    result = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=result[1:])
    return result


def portable(captured: Captured) -> Captured:
    """Captured data, so that it can be pickled."""
    shape, data = captured
    return shape, ArrowBatch(data) if shape == ARROW else data


def unpacked(captured: Captured) -> Captured:
    """Captured data that was made portable, as it was."""
    shape, data = captured
    return shape, data.as_arrow_array() if shape == ARROW else data


def _restored(cls: type[Batch], encoding: Encoding, captured: Captured) -> Batch:
    return cls.of(encoding, unpacked(captured))


def _arrow_batch_in(data: bytes) -> ArrowBatch:
    from aiorerun.types.coerce.arrow import from_ipc

    return ArrowBatch(from_ipc(data))
