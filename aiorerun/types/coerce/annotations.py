"""Annotation contexts: what classes and keypoints are called, and how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.types.coerce.records import ListEncoding, RecordEncoding
from aiorerun.types.native import Native, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class ClassDescriptionEncoding(RecordEncoding):
    """Descriptions of classes, for which the information about the class may stand."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python."""
        if is_of(value, self):
            return super().plain(value)
        return self.plain_of_parts((value,))


class ClassElementEncoding(RecordEncoding):
    """Numbered descriptions of classes, for which a description may stand: it knows its number."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python."""
        if is_of(value, self):
            return super().plain(value)
        description = self.parts[1].encoding
        assert isinstance(description, ClassDescriptionEncoding)
        plain = description.plain(value)
        (number, *_), *_ = plain
        return number, plain


class AnnotationContextEncoding(ListEncoding):
    """Annotation contexts: a sequence of classes is one of them."""

    __slots__ = ()

    def _items(self, value: Any) -> Sequence[Any]:
        if value is None:
            return ()
        if isinstance(value, Native):
            return (value if is_of(value, self) else [value],)
        if not hasattr(value, "__iter__"):
            raise self._refusal(value)
        items = list(value)
        return items if items and all(is_of(item, self) for item in items) else (items,)
