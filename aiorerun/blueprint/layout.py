"""The blueprint as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from aiorerun.blueprint._rows import BlueprintRow, PartError, Remembered, chunks_of, made, row
from aiorerun.blueprint._store import messages_of, save_in_thread
from aiorerun.blueprint.panels import BlueprintPanel, Panel, SelectionPanel, TimePanel, TopPanel
from aiorerun.blueprint.parts import Container, ContainerLike, View
from aiorerun.types.coerce.values import described

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

_ACCEPTED = "a view, a container, or a TopPanel, BlueprintPanel, SelectionPanel or TimePanel"


class Blueprint:
    """Which views the viewer shows, how they are arranged, and the state of the panels around them.

    Several views or containers become tabs.

    Args:
        parts: Views, containers, and at most one of each kind of panel.
        auto_layout: Whether the viewer arranges the views anew when one is added; by default if there are
            neither views nor containers.
        auto_views: Whether the viewer adds views for what is logged; by default as ``auto_layout``.
        collapse_panels: Whether panels that are not among the parts are collapsed, but for that at the top.

    Raises:
        TypeError: Something is no part of a blueprint.
        ValueError: There is more than one panel of a kind.

    Example:
        blueprint = rrb.Blueprint(
            rrb.Horizontal(rrb.Spatial3DView(name="scene"), rrb.TimeSeriesView(origin="/loss")),
            collapse_panels=True,
        )
    """

    def __init__(
        self,
        *parts: BlueprintPart,
        auto_layout: bool | None = None,
        auto_views: bool | None = None,
        collapse_panels: bool = False,
    ) -> None:
        contents: list[Container | View] = []
        self._panels: dict[type[Panel], Panel] = {}
        for position, part in enumerate(parts, 1):
            if isinstance(part, Container | View):
                contents.append(part)
            else:
                self._take_panel(position, part)
        if not contents:
            auto_views = True if auto_views is None else auto_views
            auto_layout = True if auto_layout is None else auto_layout
        self.auto_layout = auto_layout
        self.auto_views = auto_views
        self.collapse_panels = collapse_panels
        self.root_container = _joined(contents)
        self._own = Remembered()
        # Wrong values are told of now, where they were given.
        self._archetype()

    def _take_panel(self, position: int, part: Any) -> None:
        kind = next((kind for kind in _PANELS if isinstance(part, kind)), None)
        if kind is None:
            got = f"the class {part.__name__} itself" if isinstance(part, type) else described(part)
            raise PartError(f"Blueprint: argument {position}: expected {_ACCEPTED}, got {got}")
        if kind in self._panels:
            raise ValueError(f"Blueprint: argument {position}: there is a {kind.__name__} already")
        self._panels[kind] = part

    @property
    def top_panel(self) -> Panel | None:
        """The panel at the top, if it was given."""
        return self._panels.get(TopPanel)

    @property
    def blueprint_panel(self) -> Panel | None:
        """The panel with the views, if it was given."""
        return self._panels.get(BlueprintPanel)

    @property
    def selection_panel(self) -> Panel | None:
        """The panel about what is selected, if it was given."""
        return self._panels.get(SelectionPanel)

    @property
    def time_panel(self) -> Panel | None:
        """The panel at the bottom, if it was given."""
        return self._panels.get(TimePanel)

    def to_blueprint(self) -> Blueprint:
        """The blueprint itself."""
        return self

    def messages(
        self, application_id: str, *, make_active: bool = True, make_default: bool = True
    ) -> list[Message]:
        """The blueprint as a store of its own, with fresh ids at each call.

        Args:
            application_id: Whose recordings it is for.
            make_active: Show it now.
            make_default: Show it when the viewer's own blueprint is reset.
        """
        return messages_of(self, application_id, make_active=make_active, make_default=make_default)

    async def save(self, application_id: str, path: str | os.PathLike[str] | None = None) -> None:
        """Writes the blueprint to a file, which is usually called ``….rbl``.

        Cancelling it does not stop the writing.

        Args:
            application_id: Whose recordings it is for.
            path: The file, overwritten if it exists; by default the application id with ``.rbl``.

        Raises:
            SinkOpenError: The file cannot be created.
            ValueError: The application id is empty.
        """
        await save_in_thread(self, application_id, path)

    async def connect_grpc(
        self,
        application_id: str,
        *,
        url: str | None = None,
        make_active: bool = True,
        make_default: bool = True,
    ) -> None:
        """Sends the blueprint to a viewer or server, and returns when that has it.

        Cancelling it may leave the blueprint sent, or not.

        Args:
            application_id: Whose recordings it is for.
            url: The server; by default that of a viewer on this machine.
            make_active: Show it now.
            make_default: Show it when the viewer's own blueprint is reset, and now if there is no other.

        Raises:
            InvalidUrlError: The URL is none of a server.
            ConnectionError: The server cannot be reached within some seconds.
        """
        from aiorerun.blueprint._live import send

        await send(self, application_id, url, make_active=make_active, make_default=make_default)

    async def spawn(
        self,
        application_id: str,
        *,
        port: int = 9876,
        memory_limit: str = "75%",
        hide_welcome_screen: bool = False,
        detach_process: bool = True,
    ) -> None:
        """Starts a viewer, if none listens yet, and shows the blueprint in it.

        Cancelling it may leave the viewer running.

        Args:
            application_id: Whose recordings it is for.
            port: Where the viewer listens.
            memory_limit: What it may keep, e.g. ``"16GB"`` or ``"50%"``.
            hide_welcome_screen: Whether it starts without its welcome page.
            detach_process: Whether it outlives this program.

        Raises:
            ViewerNotFoundError: There is no viewer on this machine.
            ConnectionError: It cannot be reached.
        """
        from aiorerun.blueprint._live import spawn

        await spawn(
            self,
            application_id,
            port=port,
            memory_limit=memory_limit,
            hide_welcome_screen=hide_welcome_screen,
            detach_process=detach_process,
        )

    def _archetype(self) -> Any:
        return self._own.get((self.root_container, self.auto_layout, self.auto_views), self._make)

    def _make(self) -> Any:
        from aiorerun.blueprint.archetypes import ViewportBlueprint

        root = self.root_container
        return made(
            "Blueprint",
            ViewportBlueprint,
            {
                "root_container": ("parts", None if root is None else root.id.bytes),
                "auto_layout": ("auto_layout", self.auto_layout),
                "auto_views": ("auto_views", self.auto_views),
            },
        )

    def _rows(self) -> Iterator[BlueprintRow]:
        if self.root_container is not None:
            yield from self.root_container._rows()
        yield row("viewport", self._archetype())
        for kind in _PANELS:
            panel = self._panels.get(kind)
            if panel is None and self.collapse_panels and kind is not TopPanel:
                panel = kind(state="collapsed")
            if panel is not None:
                yield from panel._rows()

    def _chunks(self, store: StoreId, ids: TuidSource) -> list[Chunk]:
        """Everything as chunks with fresh ids, which are the same for every store."""
        return chunks_of(self._rows(), ids)

    def __repr__(self) -> str:
        parts = [repr(part) for part in (self.root_container, *self._panels.values()) if part is not None]
        return f"{type(self).__name__}({', '.join(parts)})"


_PANELS: tuple[type[TopPanel | BlueprintPanel | SelectionPanel | TimePanel], ...] = (
    TopPanel,
    BlueprintPanel,
    SelectionPanel,
    TimePanel,
)


def _joined(contents: list[Container | View]) -> Container | None:
    from aiorerun.blueprint.containers import Tabs

    if len(contents) > 1:
        return Tabs(*contents)
    return contents[0].to_container() if contents else None


def as_blueprint(value: Any) -> Blueprint:
    """A blueprint, or a bare view or container as one.

    Raises:
        TypeError: It is something else.
    """
    give = getattr(value, "to_blueprint", None)
    if give is None or isinstance(value, type):
        got = f"the class {value.__name__} itself" if isinstance(value, type) else described(value)
        raise TypeError(f"expected a Blueprint, a view or a container, got {got}")
    blueprint: Blueprint = give()
    return blueprint


BlueprintLike: TypeAlias = Blueprint | View | Container
BlueprintPart: TypeAlias = ContainerLike | TopPanel | BlueprintPanel | SelectionPanel | TimePanel
