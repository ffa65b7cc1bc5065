"""The PLY format: its header, and the elements in ASCII and in both binary forms. Pure."""

from __future__ import annotations

import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_MAX_NUMBER_BYTES: Final = 128
_BLOCK: Final = 2048

MAX_HEADER_BYTES: Final = 1 << 20
"""A longer header is taken for damage."""

_TYPES: Final = {
    "char": "i1", "int8": "i1",
    "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4",
    "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_END: Final = re.compile(rb"[\r\n](end_header)\b")
"""The last line of a header; comments may hold the word as well."""
_ORDERS: Final = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}


class Property(NamedTuple):
    """A property of an element.

    Attributes:
        name: Its name.
        type: Of its values, as numpy calls it, without byte order.
        count_type: Of the number of values before each list; ``None`` if it is a single value.
    """

    name: str
    type: str
    count_type: str | None = None


class Element(NamedTuple):
    """A table of a file: its name, how many rows it has, and its columns."""

    name: str
    num_rows: int
    properties: list[Property]

    @property
    def has_lists(self) -> bool:
        """Whether rows are of different length."""
        return any(each.count_type is not None for each in self.properties)

    @property
    def numbered(self) -> list[tuple[int, Property]]:
        """Its columns with their positions."""
        return list(enumerate(self.properties))

    def named(self, columns: list[Any]) -> dict[str, Any]:
        """Columns by name; of several with the same name the first."""
        found: dict[str, Any] = {}
        for each, column in zip(self.properties, columns, strict=True):
            found.setdefault(each.name, column)
        return found


class Header(NamedTuple):
    """The header of a file.

    Attributes:
        order: The byte order, ``<`` or ``>``; ``None`` for text.
        elements: In the order of the file.
        size: Where they begin.
    """

    order: str | None
    elements: list[Element]
    size: int

    def count(self, name: str) -> int:
        """How many rows an element has; 0 if there is none of that name."""
        return sum(each.num_rows for each in self.elements if each.name == name)

    def properties(self, name: str) -> dict[str, Property]:
        """The properties of an element."""
        found: dict[str, Property] = {}
        for element in self.elements:
            if element.name == name:
                for each in element.properties:
                    found.setdefault(each.name, each)
        return found


def parse_header(data: bytes) -> Header:
    """Reads the header.

    Raises:
        ValueError: It is none, or says something unknown.
    """
    found = _END.search(data, 0, MAX_HEADER_BYTES)
    if not data.startswith(b"ply") or found is None:
        raise ValueError("it has no PLY header")
    end = found.start(1)
    order: str | None = None
    elements: list[Element] = []
    has_format = False
    for line in data[:end].decode("utf-8", "replace").splitlines()[1:]:
        words = line.split()
        match words:
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", form, _] if form in _ORDERS:
                order, has_format = _ORDERS[form], True
            case ["element", name, count] if count.isascii() and count.isdigit():
                elements.append(Element(name, int(count), []))
            case ["property", "list", count_type, kind, name] if (
                elements and _TYPES.get(count_type, "f")[0] != "f" and kind in _TYPES
            ):
                elements[-1].properties.append(Property(name, _TYPES[kind], _TYPES[count_type]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append(Property(name, _TYPES[kind]))
            case _:
                raise ValueError(f"its PLY header has the line {line!r}, which is not understood")
    if not has_format:
        raise ValueError("its PLY header does not say in which format it is")
    return Header(order, elements, _end_of_line(data, end))


def _end_of_line(data: bytes, start: int) -> int:
    end = start + len(b"end_header")
    if data[end : end + 2] == b"\r\n":
        return end + 2
    return end + 1


def read_element(data: bytes, header: Header, name: str) -> dict[str, Any]:
    """The columns of an element: arrays of numbers, and lists of arrays where every row has a list.

    Raises:
        ValueError: The file ends before, or holds something that is no number.
    """
    reader = _AsciiReader(data, header) if header.order is None else _BinaryReader(data, header)
    for element in header.elements:
        if element.name == name:
            return reader.columns(element)
        reader.skip(element)
    raise ValueError(f"it has no element {name!r}")


class _AsciiReader:
    """Elements as text: one row per line."""

    def __init__(self, data: bytes, header: Header) -> None:
        lines = io.BytesIO(data)
        lines.seek(header.size)
        self._lines = filter(bytes.strip, lines)

    def skip(self, element: Element) -> None:
        for _ in self._blocks(element.num_rows):
            pass

    def _blocks(self, count: int) -> Iterator[list[bytes]]:
        """So many lines, in blocks: other threads have to wait while many are handled at once."""
        while count:
            block = list(islice(self._lines, min(count, _BLOCK)))
            if not block:
                raise ValueError("it ends before all its elements have come")
            count -= len(block)
            yield block

    def columns(self, element: Element) -> dict[str, Any]:
        if element.has_lists:
            blocks = self._blocks(element.num_rows)
            return _joined(element, [_ascii_row(element, line.split()) for block in blocks for line in block])
        parts: list[list[npt.NDArray[Any]]] = [[np.zeros(0, each.type)] for each in element.properties]
        width = len(element.properties)
        for block in self._blocks(element.num_rows):
            rows = [line.split(None, width) for line in block]
            if any(len(row) < width for row in rows):
                raise ValueError("a line has fewer values than its element has properties")
            for at, each in element.numbered:
                parts[at].append(_numbers([row[at] for row in rows], each.type))
        return element.named([np.concatenate(part) for part in parts])


def _ascii_row(element: Element, words: Sequence[bytes]) -> list[Any]:
    row: list[Any] = []
    at = 0
    for each in element.properties:
        if each.count_type is None:
            values = words[at : at + 1]
            at += 1
        else:
            length = int(_numbers(words[at : at + 1], each.count_type)[0]) if at < len(words) else 0
            if length < 0:
                raise ValueError("a list has a negative length")
            values = words[at + 1 : at + 1 + length]
            at += 1 + length
        if at > len(words):
            raise ValueError("a line has fewer values than its element has properties")
        numbers = _numbers(values, each.type)
        row.append(numbers[0] if each.count_type is None else numbers)
    return row


def _numbers(words: Sequence[bytes], kind: str) -> npt.NDArray[Any]:
    """Texts as numbers of a type.

    Raises:
        ValueError: One of them is none, or does not fit.
    """
    if not words:
        return np.zeros(0, kind)
    # Of fixed width, which keeps the memory bounded whatever is in the file.
    if max(map(len, words)) > _MAX_NUMBER_BYTES:
        raise ValueError("a number has too many digits")
    texts = np.array(words, "S")
    if kind[0] == "f":
        return texts.astype(np.float64).astype(kind)
    numbers = texts.astype(np.int64)
    limits = np.iinfo(kind)
    if numbers.min() < limits.min or numbers.max() > limits.max:
        raise ValueError(f"a number does not fit into {limits.bits} bits")
    return numbers.astype(kind)


class _BinaryReader:
    """Elements as bytes."""

    def __init__(self, data: bytes, header: Header) -> None:
        assert header.order is not None
        self._data = data
        self._order = header.order
        self._position = header.size

    def skip(self, element: Element) -> None:
        if element.has_lists:
            for _ in range(element.num_rows):
                self._row(element)
        else:
            self._advance(element.num_rows * self._table(element).itemsize)

    def columns(self, element: Element) -> dict[str, Any]:
        if element.has_lists:
            # Every row has at least the lengths of its lists, so a false count ends soon.
            return _joined(element, [self._row(element) for _ in range(element.num_rows)])
        table = self._table(element)
        start = self._advance(element.num_rows * table.itemsize)
        rows = np.frombuffer(self._data, table, element.num_rows, start)
        return element.named([rows[f"f{at}"].astype(each.type) for at, each in element.numbered])

    def _table(self, element: Element) -> np.dtype[Any]:
        # Not by their names, of which there may be two the same.
        return np.dtype([(f"f{at}", self._order + each.type) for at, each in element.numbered])

    def _advance(self, size: int) -> int:
        start = self._position
        if start + size > len(self._data):
            raise ValueError("it ends before all its elements have come")
        self._position += size
        return start

    def _row(self, element: Element) -> list[Any]:
        row: list[Any] = []
        for each in element.properties:
            if each.count_type is None:
                row.append(self._numbers(each.type, 1)[0])
            else:
                length = int(self._numbers(each.count_type, 1)[0])
                if length < 0:
                    raise ValueError("a list has a negative length")
                row.append(self._numbers(each.type, length))
        return row

    def _numbers(self, kind: str, count: int) -> Any:
        stored = np.dtype(self._order + kind)
        start = self._advance(count * stored.itemsize)
        return np.frombuffer(self._data, stored, count, start).astype(kind)


def _joined(element: Element, rows: list[list[Any]]) -> dict[str, Any]:
    columns: list[Any] = []
    for at, each in element.numbered:
        values = [row[at] for row in rows]
        columns.append(np.array(values, each.type) if each.count_type is None else values)
    return element.named(columns)
