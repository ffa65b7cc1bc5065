"""Sorbet: the names in Arrow metadata by which Rerun tells what a column of a table is."""

from __future__ import annotations

from typing import Final

SORBET_INDEX_NAME: Final = b"rerun:index_name"
"""On a column of times: the name of its timeline."""
SORBET_ENTITY_PATH: Final = b"rerun:entity_path"
"""On a component column, or on a whole table: the entity it belongs to."""
SORBET_ARCHETYPE_NAME: Final = b"rerun:archetype"
"""On a component column: full name of the archetype."""
SORBET_COMPONENT: Final = b"rerun:component"
"""On a component column: the component identifier."""
SORBET_COMPONENT_TYPE: Final = b"rerun:component_type"
"""On a component column: full name of the semantic type."""
SORBET_IS_TABLE_INDEX: Final = b"rerun:is_table_index"
"""On a column: whether it identifies the rows of a table."""
RERUN_KIND: Final = b"rerun:kind"
"""On any column: which of the kinds below it is; without it, a component column."""
RERUN_KIND_CONTROL: Final = b"control"
"""A column of row ids."""
RERUN_KIND_INDEX: Final = b"index"
"""A column of times."""

RECORDING_PROPERTIES_PATH: Final = "/__properties"
"""The entity that holds the properties of a recording."""


class AutoIndex:
    """The type of :data:`AUTO_INDEX`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "AUTO_INDEX"


AUTO_INDEX: Final = AutoIndex()
"""Stands for "the index columns are those that the metadata of the table names"."""
