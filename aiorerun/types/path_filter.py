r"""Which entities are meant: Rerun's path expressions, as views have them for their contents.

>>> cameras = PathFilter("+ /camera/** - /camera/depth")
>>> cameras.specificity("/camera/left") is not None
True
>>> cameras.specificity("/camera/depth") is None
True
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aiorerun.types.entity_path import normalize_entity_path, split_entity_path

_EXPRESSION: Final = re.compile(r"(?:([+-])[^\S\n]*)?((?:\\.|[^\\\s])+)", re.DOTALL)
"""A path, with a sign before it or not. White space separates them where it is not escaped."""
_WILDCARD: Final = re.compile(r"(?:\\.|[^\\*])*\*", re.DOTALL)
"""A star that is not escaped."""
_SUBTREE: Final = "/**"
_RESERVED: Final = "/__"
"""What recordings keep for themselves: properties, warnings."""


class Specificity(NamedTuple):
    """How closely an expression describes a path; the greater, the closer.

    Attributes:
        depth: How many parts the expression has.
        exact: Whether it means this one entity, not all below it.
    """

    depth: int
    exact: bool


class _Rule(NamedTuple):
    specificity: Specificity
    path: str
    below: str
    includes: bool


class PathFilter:
    """A set of expressions such as ``camera/**`` and ``- /camera/depth``.

    ``/**`` at the end means the entity and all below it. Of several expressions that hold for an entity
    the most specific one counts, among equal ones the last. What begins with ``/__`` is only meant where
    it is named.

    Args:
        text: The expressions, separated by white space or lines; ``+`` or nothing before one includes, ``-``
            excludes.

    Raises:
        TypeError: It is no text.
        ValueError: An expression is not understood, or none includes anything.
    """

    __slots__ = ("_rules", "text")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"pattern must be a str such as 'camera/**', got {type(text).__name__}")
        self.text = text
        rules = [_rule(sign, path) for sign, path in _EXPRESSION.findall(text)]
        if not any(rule.includes for rule in rules):
            raise ValueError(f"pattern {text!r} includes no entity: pass for example 'camera/**'")
        # The last one that holds is the one that counts; sorting keeps the order of equal ones.
        self._rules: tuple[_Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.specificity))

    def __repr__(self) -> str:
        return f"PathFilter({self.text!r})"

    def specificity(self, path: str) -> Specificity | None:
        """How closely a path in normal form is described; ``None`` if it is not meant."""
        reserved = path.startswith(_RESERVED)
        for rule in reversed(self._rules):
            if path == rule.path or (
                not rule.specificity.exact
                and path.startswith(rule.below)
                and (not reserved or rule.below.startswith(_RESERVED))
            ):
                return rule.specificity if rule.includes else None
        return None


def _rule(sign: str, text: str) -> _Rule:
    if text.startswith("$"):
        raise ValueError(f"pattern: {text!r}: there is no view here whose origin could be meant")
    subtree = text.endswith(_SUBTREE)
    path = text.removesuffix(_SUBTREE) if subtree else text
    if _WILDCARD.match(path):
        raise ValueError(
            f"pattern: {text!r}: a star is only understood in '/**' at the end, for an entity and all "
            r"below it; write '\*' for the character"
        )
    if not path and not subtree:
        raise ValueError("pattern: an expression without a path: pass for example 'camera/**'")
    normal = normalize_entity_path(path) if path else "/"
    below = "/" if normal == "/" else normal + "/"
    return _Rule(Specificity(len(split_entity_path(normal)), not subtree), normal, below, sign != "-")
