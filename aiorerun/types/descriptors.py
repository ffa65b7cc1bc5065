"""The name of a component column: which field of which archetype, holding which type."""

from __future__ import annotations

from typing import Any, Final

_BUILTIN_PREFIX: Final = "rerun.archetypes."


class ComponentDescriptor:
    """Identifies one component of an entity.

    Args:
        component: The identifier, unique within an entity, e.g. ``"Points3D:positions"``.
        archetype: Full name of the archetype the component belongs to, e.g.
            ``"rerun.archetypes.Points3D"``, or ``None`` for loose values.
        component_type: Full name of the semantic type, e.g. ``"rerun.components.Position3D"``,
            or ``None`` where the values carry no known meaning.

    Descriptors are immutable, hashable and compare by value; ``str()`` gives the identifier. An empty name of
    an archetype or a type is none.

    Raises:
        TypeError: Something is no ``str``.
        ValueError: The identifier is empty, or something is no valid Unicode; readers would refuse all that
            is recorded beside it.
    """

    __slots__ = ("_archetype", "_component", "_component_type", "_hash")

    def __init__(
        self, component: str, archetype: str | None = None, component_type: str | None = None
    ) -> None:
        _check_name("component", component)
        if not component:
            raise ValueError("component: an identifier must not be empty; pass for example 'confidence'")
        if archetype is not None:
            _check_name("archetype", archetype)
        if component_type is not None:
            _check_name("component_type", component_type)
        self._component = component
        self._archetype = archetype or None
        self._component_type = component_type or None
        self._hash = hash((component, self._archetype, self._component_type))

    @property
    def component(self) -> str:
        """The identifier, e.g. ``"Points3D:positions"``."""
        return self._component

    @property
    def archetype(self) -> str | None:
        """Full name of the archetype, if any."""
        return self._archetype

    @property
    def component_type(self) -> str | None:
        """Full name of the component type, if any."""
        return self._component_type

    def with_overrides(
        self, archetype: str | None = None, component_type: str | None = None
    ) -> ComponentDescriptor:
        """A copy in which the given parts replace the present ones."""
        return ComponentDescriptor(
            self._component,
            self._archetype if archetype is None else archetype,
            self._component_type if component_type is None else component_type,
        )

    def or_with_overrides(
        self, archetype: str | None = None, component_type: str | None = None
    ) -> ComponentDescriptor:
        """A copy in which the given parts fill in what is missing."""
        return ComponentDescriptor(
            self._component,
            archetype if self._archetype is None else self._archetype,
            component_type if self._component_type is None else self._component_type,
        )

    def with_builtin_archetype(self, archetype: str) -> ComponentDescriptor:
        """A copy that belongs to ``archetype``, with its short name put before the identifier.

        ``ComponentDescriptor("conf").with_builtin_archetype("MyArch")`` identifies ``MyArch:conf``. Nothing
        changes if it is empty.
        """
        _check_name("archetype", archetype)
        short = archetype.removeprefix(_BUILTIN_PREFIX)
        if not short:
            return self
        return ComponentDescriptor(f"{short}:{self._component}", archetype, self._component_type)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ComponentDescriptor):
            return NotImplemented
        return (
            self._component == other._component
            and self._archetype == other._archetype
            and self._component_type == other._component_type
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # The hash is another one in each process.
        return ComponentDescriptor, (self._component, self._archetype, self._component_type)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self._component

    def __repr__(self) -> str:
        return (
            f"ComponentDescriptor({self._component!r}, archetype={self._archetype!r}, "
            f"component_type={self._component_type!r})"
        )


def _check_name(argument: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a str, got {type(name).__name__}")
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{argument} must be valid Unicode, got {name!r} ({error})") from None
