"""Tables of a catalog: which columns are shown, how, and of which rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

from aiorerun.blueprint._rows import BlueprintRow, PartError, chunks_of, made, row
from aiorerun.blueprint._store import save_in_thread
from aiorerun.blueprint.archetypes import PreviewsConfig
from aiorerun.blueprint.datatypes import SortBy
from aiorerun.blueprint.filters import Filter, FilterColumn, ListFilters, StringFilters, col
from aiorerun.blueprint.parts import View
from aiorerun.types.batches import ComponentMixin
from aiorerun.types.coerce.values import described
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.entity_path import escape_entity_path_part

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from aiorerun.blueprint import components as blueprint_components
    from aiorerun.blueprint.datatypes import ColumnType
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

__all__ = [
    "CardLayout",
    "Column",
    "Filter",
    "FilterColumn",
    "ListFilters",
    "PreviewCell",
    "PreviewsConfig",
    "SortBy",
    "StringFilters",
    "TableBlueprint",
    "TableLayout",
    "col",
]


@dataclass(frozen=True, init=False)
class PreviewCell:
    """A column of small views.

    Args:
        views: The views.

    Raises:
        TypeError: Something is no view.
        ValueError: There is none.
    """

    views: tuple[View, ...]

    def __init__(self, *views: View) -> None:
        if not views:
            raise ValueError("PreviewCell: at least one view is needed")
        for position, view in enumerate(views, 1):
            if not isinstance(view, View):
                raise TypeError(f"PreviewCell: argument {position}: expected a view, got {described(view)}")
        object.__setattr__(self, "views", views)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        source: The column of the table that it shows.
        name: The name shown for it.
        editable: Whether its values can be changed.
        column_type: What its values are: a component, by class, name or descriptor; or small views.
        visible: Whether it is shown.

    Raises:
        TypeError: An attribute has a wrong type.
        ValueError: The source, or the name of the component, is empty.
    """

    source: str
    name: str | None = field(default=None, kw_only=True)
    editable: bool | None = field(default=None, kw_only=True)
    column_type: type[ComponentMixin] | str | ComponentDescriptor | PreviewCell | None = field(
        default=None, kw_only=True
    )
    visible: bool | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.source, str):
            raise TypeError(f"Column: source: expected a text, got {described(self.source)}")
        _check_text("Column: source", self.source, may_be_empty=False)
        _check_text("Column: name", self.name)
        for name in ("editable", "visible"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bool):
                raise TypeError(f"Column: {name}: expected True, False or None, got {described(value)}")
        self._type()

    def _type(self) -> ColumnType | None:
        from aiorerun.blueprint.datatypes import ColumnType

        given = self.column_type
        if given is None or isinstance(given, PreviewCell):
            return None
        if isinstance(given, str):
            _check_text("Column: column_type", given, may_be_empty=False)
            return ColumnType(component_type_name=given)
        if isinstance(given, ComponentDescriptor):
            return ColumnType(component=given.component, component_type_name=given.component_type)
        if _is_component(given):
            return ColumnType(component_type_name=given.component_type())
        raise TypeError(
            "Column: column_type: expected a component, the name of its type, a ComponentDescriptor or a "
            f"PreviewCell, got {described(given)}"
        )

    def _rows(self, path: str) -> Iterator[BlueprintRow]:
        from aiorerun.blueprint.archetypes import TableColumn, TableColumnPreview

        plain = TableColumn(
            name=self.name, editable=self.editable, visible=self.visible, column_type=self._type()
        )
        if plain.as_component_batches():
            yield row(path, plain)
        if isinstance(self.column_type, PreviewCell):
            yield row(path, TableColumnPreview([view.blueprint_path() for view in self.column_type.views]))


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """A table as rows and columns.

    Attributes:
        columns: The columns, in this order; by default all.

    Raises:
        TypeError: Something is no column.
        ValueError: Two columns have the same source.
    """

    columns: Sequence[Column] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", _checked_columns("TableLayout: columns", self.columns))


@dataclass(frozen=True, kw_only=True)
class CardLayout:
    """A table as cards.

    Attributes:
        title: The column with the titles of the cards.
        link: The column with the address that a card leads to.
        fields: The columns on the cards, in this order.

    Raises:
        TypeError: An attribute has a wrong type.
        ValueError: Two columns have the same source, or a name is empty.
    """

    title: str | None = None
    link: str | None = None
    fields: Sequence[Column] = ()

    def __post_init__(self) -> None:
        _check_text("CardLayout: title", self.title, may_be_empty=False)
        _check_text("CardLayout: link", self.link, may_be_empty=False)
        object.__setattr__(self, "fields", _checked_columns("CardLayout: fields", self.fields))


@dataclass(frozen=True, kw_only=True)
class TableBlueprint:
    """How a table of a catalog is shown.

    Attributes:
        table_layout: The columns, if it is shown as rows.
        card_layout: What is on the cards, if it is shown as cards.
        default_layout: Which of the two is shown first.
        column_display_mode: How much the heads of columns tell.
        previews_config: What small views show.
        filters: Conditions that all rows fulfil, made with :func:`col` or in SQL.
        sort_by: The column that decides the order of rows.

    Raises:
        TypeError: An attribute has a wrong type.
        ValueError: There is no such layout, or cards are shown first without a layout of cards.
    """

    table_layout: TableLayout | None = None
    card_layout: CardLayout | None = None
    default_layout: Literal["table", "cards"] | None = None
    column_display_mode: blueprint_components.ColumnDisplayModeLike | None = None
    previews_config: PreviewsConfig | None = None
    filters: Sequence[Filter | str] = ()
    sort_by: str | SortBy | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", _checked_filters(self.filters))
        for name, kind in (
            ("table_layout", TableLayout),
            ("card_layout", CardLayout),
            ("previews_config", PreviewsConfig),
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"TableBlueprint: {name}: expected a {kind.__name__}, got {described(value)}")
        _check_text("TableBlueprint: default_layout", self.default_layout)
        if self.default_layout not in (None, "table", "cards"):
            raise ValueError(
                f"TableBlueprint: default_layout: expected 'table' or 'cards', got {self.default_layout!r}"
            )
        if self.default_layout == "cards" and self.card_layout is None:
            raise ValueError("TableBlueprint: default_layout: 'cards' needs a `card_layout`")
        if isinstance(self.sort_by, str):
            _check_text("TableBlueprint: sort_by", self.sort_by, may_be_empty=False)
            object.__setattr__(self, "sort_by", SortBy(self.sort_by))
        elif self.sort_by is not None and not isinstance(self.sort_by, SortBy):
            raise TypeError(
                f"TableBlueprint: sort_by: expected a column or SortBy, got {described(self.sort_by)}"
            )

    async def save(self, application_id: str, path: str | os.PathLike[str] | None = None) -> None:
        """Writes the blueprint to a file, which is usually called ``….rbl``.

        Cancelling it does not stop the writing.

        Args:
            application_id: Whose tables it is for.
            path: The file, overwritten if it exists; by default the application id with ``.rbl``.

        Raises:
            SinkOpenError: The file cannot be created.
            ValueError: The application id is empty.
        """
        await save_in_thread(self, application_id, path)

    def _rows(self) -> Iterator[BlueprintRow]:
        from aiorerun.blueprint import archetypes

        for view in self._views():
            yield from view._rows()
        own = made(
            "TableBlueprint",
            archetypes.TableBlueprint,
            {
                "layout": ("default_layout", self.default_layout),
                "column_display_mode": ("column_display_mode", self.column_display_mode),
                "filters": ("filters", [str(item) for item in self.filters] or None),
                "sort_by": ("sort_by", self.sort_by),
            },
        )
        for archetype in (own, self.previews_config):
            if archetype is not None and archetype.as_component_batches():
                yield row("table", archetype)
        columns = () if self.table_layout is None else self.table_layout.columns
        yield row("table/layouts/table", archetypes.TableLayout(column_order=_sources(columns)))
        yield from _column_rows("table/layouts/table/columns", columns)
        cards = self.card_layout
        if cards is not None:
            layout = archetypes.CardLayout(_sources(cards.fields), title=cards.title, link=cards.link)
            yield row("table/layouts/cards", layout)
            yield from _column_rows("table/layouts/cards/fields", cards.fields)

    def _views(self) -> list[View]:
        """All small views, each once."""
        tables = () if self.table_layout is None else self.table_layout.columns
        cards = () if self.card_layout is None else self.card_layout.fields
        cells = [item.column_type for item in (*tables, *cards) if isinstance(item.column_type, PreviewCell)]
        return list({view.id: view for cell in cells for view in cell.views}.values())

    def _chunks(self, store: StoreId, ids: TuidSource) -> list[Chunk]:
        return chunks_of(self._rows(), ids)


def _is_component(given: Any) -> TypeGuard[type[ComponentMixin]]:
    return isinstance(given, type) and issubclass(given, ComponentMixin)


def _sources(columns: Sequence[Column]) -> list[str]:
    return [column.source for column in columns]


def _column_rows(path: str, columns: Sequence[Column]) -> Iterator[BlueprintRow]:
    for column in columns:
        yield from column._rows(f"{path}/{escape_entity_path_part(column.source)}")


def _check_text(where: str, value: Any, *, may_be_empty: bool = True) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{where}: expected a text or None, got {described(value)}")
    if value == "" and not may_be_empty:
        raise ValueError(f"{where}: is empty")


def _checked_columns(where: str, columns: Any) -> tuple[Column, ...]:
    if isinstance(columns, str) or not hasattr(columns, "__iter__"):
        raise PartError(f"{where}: expected a list of columns, got {described(columns)}")
    found = tuple(columns)
    for position, column in enumerate(found):
        if not isinstance(column, Column):
            raise TypeError(f"{where}[{position}]: expected a Column, got {described(column)}")
    sources = _sources(found)
    for source in sources:
        if sources.count(source) > 1:
            raise ValueError(f"{where}: the column {source!r} is there more than once")
    return found


def _checked_filters(filters: Any) -> tuple[Filter, ...]:
    if isinstance(filters, str | Filter) or not hasattr(filters, "__iter__"):
        raise TypeError(f"TableBlueprint: filters: expected a list of filters, got {described(filters)}")
    return tuple([item if isinstance(item, Filter) else Filter(item) for item in filters])
