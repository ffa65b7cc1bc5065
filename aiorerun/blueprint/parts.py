"""What a blueprint shows: the base classes of views and containers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from aiorerun.archetypes._base import Archetype
from aiorerun.archetypes._visual import VisualizableArchetype, Visualizer
from aiorerun.blueprint._rows import BlueprintRow, PartError, Remembered, made, row
from aiorerun.errors import strict_scope
from aiorerun.types.coerce.values import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun import datatypes
    from aiorerun.blueprint import archetypes as blueprint_archetypes, components as blueprint_components
    from aiorerun.blueprint.layout import Blueprint
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

    ViewContentsLike: TypeAlias = datatypes.Utf8ArrayLike | blueprint_archetypes.ViewContents
    VisualizerLike: TypeAlias = (
        blueprint_archetypes.EntityBehavior
        | blueprint_archetypes.VisibleTimeRanges
        | Visualizer
        | VisualizableArchetype
    )
else:
    ViewContentsLike = VisualizerLike = Any


class View:
    """A view; its subclasses are the kinds there are.

    Attributes may be set until the blueprint is sent or saved.

    Args:
        class_identifier: How the viewer calls the kind of view, e.g. ``"3D"``.
        origin: The entity that is its origin.
        contents: Which entities are in it: expressions such as ``$origin/**`` and ``- /world/secret``.
        name: The name shown for it.
        visible: Whether it is shown.
        titlebar: Whether it has a title bar; beside other tabs it always has.
        properties: Archetypes by the name under which the viewer looks for them.
        defaults: Archetypes or batches that stand in for components that were not logged.
        overrides: By entity, visualizers or archetypes that replace what was logged, and behaviors. The
            entities get no other visualizers then.

    Raises:
        TypeError: Something among the defaults or overrides is nothing of that kind.
    """

    def __init__(
        self,
        *,
        class_identifier: datatypes.Utf8Like,
        origin: datatypes.EntityPathLike,
        contents: ViewContentsLike,
        name: datatypes.Utf8Like | None,
        visible: datatypes.BoolLike | None = None,
        titlebar: datatypes.BoolLike | None = None,
        properties: dict[str, AsComponents] | None = None,
        defaults: Iterable[AsComponents | DescribedComponentBatch | Iterable[DescribedComponentBatch]]
        | None = None,
        overrides: Mapping[datatypes.EntityPathLike, VisualizerLike | Iterable[VisualizerLike]] | None = None,
    ) -> None:
        self.id = uuid.uuid4()
        self.class_identifier = class_identifier
        self.name = name
        self.origin = origin
        self.contents = contents
        self.visible = visible
        self.titlebar = titlebar
        self.properties: dict[str, Any] = {} if properties is None else dict(properties)
        self.defaults = self._checked_defaults(defaults)
        self.visualizer_overrides = self._checked_overrides(overrides)
        self._own = Remembered()
        # Wrong values are told of now, where they were given.
        self._archetypes()

    def _properties(self, given: dict[str, tuple[str, Any]]) -> dict[str, AsComponents]:
        """The properties of a kind of view: by parameter, the name of the archetype and what was given."""
        found: dict[str, AsComponents] = {}
        for parameter, (name, value) in given.items():
            if value is not None:
                found[name] = self._property(parameter, name, value)
        return found

    def _property(self, parameter: str, name: str, value: Any) -> AsComponents:
        from aiorerun.blueprint import archetypes

        kind: Any = getattr(archetypes, name)
        if isinstance(value, kind):
            return value  # type: ignore[no-any-return]
        if not _takes_bare_value(kind) or isinstance(value, Archetype):
            raise PartError(
                f"{type(self).__name__}: {parameter}: expected {_article(name)}, got {described(value)}"
            )
        try:
            with strict_scope(True):
                return kind(value)  # type: ignore[no-any-return]
        except (TypeError, ValueError, OverflowError) as error:
            from aiorerun.archetypes._base import told_of
            from aiorerun.errors import report

            told = str(error).removeprefix(f"{name}: ").partition(": ")[2] or str(error)
            error_kind = next(
                kind for kind in (OverflowError, ValueError, TypeError) if isinstance(error, kind)
            )
            report(type(self).__name__, told_of(type(self).__name__, error_kind(f"{parameter}: {told}")))
            cleared: AsComponents = kind.cleared()
            return cleared

    def _checked_defaults(self, defaults: Any) -> list[Any]:
        if defaults is None:
            return []
        owner = f"{type(self).__name__}: defaults"
        if isinstance(defaults, str | Mapping | Archetype) or not isinstance(defaults, Iterable):
            raise PartError(
                f"{owner}: expected a list of archetypes or component batches, got {described(defaults)}"
            )
        items = list(defaults)
        for position, item in enumerate(items):
            try:
                row("defaults", _content(item))
            except TypeError as error:
                raise PartError(
                    f"{owner}[{position}]: expected an archetype, a component batch with a descriptor, or a "
                    f"list of such batches, got {described(item)}"
                ) from error
        return items

    def _checked_overrides(self, overrides: Any) -> dict[Any, Any]:
        if overrides is None:
            return {}
        owner = f"{type(self).__name__}: overrides"
        if not isinstance(overrides, Mapping):
            raise PartError(f"{owner}: expected a dictionary by entity path, got {described(overrides)}")
        # Iterators are good for one look only, but a blueprint may be sent more than once.
        found = {
            path: list(item) if isinstance(item, Iterable) and not isinstance(item, str) else item
            for path, item in overrides.items()
        }
        for path, item in found.items():
            for one in item if isinstance(item, list) else [item]:
                if not isinstance(one, VisualizableArchetype | Visualizer) and not _is_loggable(one):
                    raise PartError(
                        f"{owner}[{str(path)!r}]: expected visualizers, or archetypes that have one, "
                        f"EntityBehavior or VisibleTimeRanges, got {described(one)}"
                    )
        return found

    def blueprint_path(self) -> str:
        """Where the view is in the blueprint."""
        return f"view/{self.id}"

    def to_container(self) -> Container:
        """The view in a container."""
        from aiorerun.blueprint.containers import Tabs

        return Tabs(self)

    def to_blueprint(self) -> Blueprint:
        """A blueprint with only this view."""
        from aiorerun.blueprint.layout import Blueprint

        return Blueprint(self)

    def _archetypes(self) -> tuple[Any, Any]:
        """The contents, and the view itself."""
        attributes = (
            self.class_identifier, self.name, self.origin, self.visible, self.titlebar, self.contents,
        )  # fmt: skip
        found: tuple[Any, Any] = self._own.get(attributes, self._make)
        return found

    def _make(self) -> tuple[Any, Any]:
        from aiorerun.blueprint.archetypes import ViewBlueprint, ViewContents

        owner = type(self).__name__
        contents = self.contents
        if not isinstance(contents, ViewContents):
            contents = made(owner, ViewContents, {"query": ("contents", contents)})
        view = made(
            owner,
            ViewBlueprint,
            {
                "class_identifier": ("class_identifier", self.class_identifier),
                "display_name": ("name", self.name),
                "space_origin": ("origin", self.origin),
                "visible": ("visible", self.visible),
                "titlebar": ("titlebar", self.titlebar),
            },
        )
        return contents, view

    def _rows(self) -> Iterator[BlueprintRow]:
        path = self.blueprint_path()
        contents, view = self._archetypes()
        yield row(f"{path}/ViewContents", contents)
        yield row(path, view)
        for name, archetype in self.properties.items():
            yield row(f"{path}/{name}", archetype)
        for default in self.defaults:
            yield row(f"{path}/defaults", _content(default))
        for entity, item in self.visualizer_overrides.items():
            below = str(entity).removeprefix("/")
            yield from _visualizer_rows(f"{path}/ViewContents/overrides/{below}/visualizers", item)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(origin={self.origin!r}, name={self.name!r})"


def _takes_bare_value(kind: Any) -> bool:
    import inspect

    parameters = list(inspect.signature(kind).parameters.values())
    return bool(parameters) and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _content(default: Any) -> Any:
    """A default as something that can be logged."""
    return [default] if hasattr(default, "component_descriptor") else default


def _is_loggable(item: Any) -> bool:
    return hasattr(item, "as_component_batches") and not isinstance(item, type)


def _visualizer_rows(path: str, item: Any) -> Iterator[BlueprintRow]:
    """The rows of everything that was given for one entity; the ids of its visualizers come last."""
    from aiorerun.blueprint.archetypes import ActiveVisualizers, VisualizerInstruction

    ids: list[bytes] = []
    for one in item if isinstance(item, list) else [item]:
        visualizer = one.visualizer() if isinstance(one, VisualizableArchetype) else one
        if not isinstance(visualizer, Visualizer):
            yield row(path, visualizer)
            continue
        own = f"{path}/{visualizer.id}"
        kind, mappings = visualizer.visualizer_type, visualizer.mappings
        yield row(own, VisualizerInstruction(kind, component_map=mappings))  # type: ignore[arg-type]
        if visualizer.overrides:
            yield row(own, visualizer.overrides)
        ids.append(visualizer.id.bytes)
    if ids:
        yield row(path, ActiveVisualizers(ids))


class Container:
    """Views and other containers; its subclasses are the ways to arrange them.

    Args:
        args: What is in it.
        contents: The same as one iterable, instead of them.
        kind: How it is arranged.
        column_shares: The widths of columns, relative to one another.
        row_shares: The heights of rows, relative to one another.
        grid_columns: How many columns a grid has.
        active_tab: The tab in front: its position, or the name of the view.
        name: The name shown for it.
        visible: Whether it is shown.

    Raises:
        TypeError: Something in it is neither a view nor a container.
        ValueError: There are both ``args`` and ``contents``, or the active tab is not there.
    """

    def __init__(
        self,
        *args: Container | View,
        contents: Iterable[Container | View] | None = None,
        kind: blueprint_components.ContainerKindLike,
        column_shares: datatypes.Float32ArrayLike | None = None,
        row_shares: datatypes.Float32ArrayLike | None = None,
        grid_columns: int | None = None,
        active_tab: int | str | None = None,
        name: datatypes.Utf8Like | None,
        visible: datatypes.BoolLike | None = None,
    ) -> None:
        self.contents = self._checked_contents(args, contents)
        self.id = uuid.uuid4()
        self.kind = kind
        self.column_shares = column_shares
        self.row_shares = row_shares
        self.grid_columns = grid_columns
        self.active_tab = active_tab
        self.name = name
        self.visible = visible
        self._own = Remembered()
        # Wrong values are told of now, where they were given.
        self._archetype()

    def _checked_contents(self, args: tuple[Any, ...], contents: Any) -> list[Container | View]:
        owner = type(self).__name__
        if contents is None:
            return [checked_part(f"{owner}: argument {at}", item) for at, item in enumerate(args, 1)]
        if args:
            raise ValueError(f"{owner}: `contents` excludes positional arguments")
        if isinstance(contents, str) or not isinstance(contents, Iterable):
            raise PartError(
                f"{owner}: contents: expected a list of views and containers, got {described(contents)}"
            )
        return [checked_part(f"{owner}: contents[{at}]", item) for at, item in enumerate(contents)]

    def blueprint_path(self) -> str:
        """Where the container is in the blueprint."""
        return f"container/{self.id}"

    def to_container(self) -> Container:
        """The container itself."""
        return self

    def to_blueprint(self) -> Blueprint:
        """A blueprint with only this container."""
        from aiorerun.blueprint.layout import Blueprint

        return Blueprint(self)

    def _active_path(self) -> str | None:
        found = None
        # With no tab asked for, the last view without a name is in front, as in the official SDK.
        for position, part in enumerate(self.contents):
            if position == self.active_tab or (isinstance(part, View) and part.name == self.active_tab):
                found = part.blueprint_path()
        if found is None and self.active_tab is not None:
            raise ValueError(
                f"{type(self).__name__}: active_tab: {self.active_tab!r} is neither a position in the "
                "container nor the name of a view in it"
            )
        return found

    def _archetype(self) -> Any:
        paths = [part.blueprint_path() for part in self.contents]
        attributes = (
            self.kind, self.column_shares, self.row_shares, self.grid_columns, self.name, self.visible,
            self.active_tab, *(part.name for part in self.contents), *self.contents,
        )  # fmt: skip
        return self._own.get(attributes, lambda: self._make(paths))

    def _make(self, paths: list[str]) -> Any:
        from aiorerun.blueprint.archetypes import ContainerBlueprint

        return made(
            type(self).__name__,
            ContainerBlueprint,
            {
                "container_kind": ("kind", self.kind),
                "contents": ("contents", paths),
                "col_shares": ("column_shares", self.column_shares),
                "row_shares": ("row_shares", self.row_shares),
                "visible": ("visible", self.visible),
                "grid_columns": ("grid_columns", self.grid_columns),
                "active_tab": ("active_tab", self._active_path()),
                "display_name": ("name", self.name),
            },
        )

    def _rows(self) -> Iterator[BlueprintRow]:
        for part in self.contents:
            yield from part._rows()
        yield row(self.blueprint_path(), self._archetype())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.contents))})"


def checked_part(where: str, part: Any) -> Container | View:
    """A view or container that a user gave.

    Raises:
        TypeError: It is something else; ``where`` says which argument it was.
    """
    if isinstance(part, Container | View):
        return part
    if isinstance(part, type):
        raise PartError(f"{where}: expected a view or a container, got the class {part.__name__} itself")
    raise PartError(f"{where}: expected a view or a container, got {described(part)}")


ContainerLike: TypeAlias = Container | View
