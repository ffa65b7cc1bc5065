"""Cases: every archetype in all the forms that are recorded, as rows and as columns."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tests import recipes
from tests.conformance.cases.registry import case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROWS_PER_COLUMN = 3
_FILES = Path(tempfile.mkdtemp(prefix="aiorerun-recipes-"))

_recorded: dict[str, list[dict[str, Any]]] = defaultdict(list)
for _recipe in recipes.load("golden.json")["recipes"]:
    _recorded[_recipe["id"].partition("/")[0]].append(_recipe)

ARCHETYPES = sorted(
    name for name, found in _recorded.items() if any(item["id"] == f"{name}/cleared" for item in found)
)


def _usable(name: str, kind: str) -> Iterator[tuple[str, Any]]:
    """Recipes that give the same at both: no errors, warnings, encoders, or numbers that are never equal."""
    for recipe in _recorded[name]:
        trouble = {"error", "strict_error", "warnings"} & set(recipe)
        if recipe["kind"] == kind and not trouble and recipe["id"] not in recipes.DIFFERENT:
            arrays = [batch[4] for batch in recipe["batches"]]
            if None not in arrays and "nan" not in str([recipes.arrow_array(ipc) for ipc in arrays]):
                yield recipe["id"].partition("/")[2], recipe["build"]


def _resolver(rr: Any) -> Callable[[str], Any]:
    return recipes.resolve_official if rr.__name__ == "rerun" else recipes.resolve


def _log_all(name: str) -> Callable[[Any, Any], None]:
    def log(rr: Any, rec: Any) -> None:
        for number, (recipe, build) in enumerate(_usable(name, "batches")):
            rec.set_time("frame", sequence=number)
            rec.log(f"all/{recipe}", recipes.make(build, _FILES, _resolver(rr)))
            rec.log("again", recipes.make(build, _FILES, _resolver(rr)))

    log.__name__ = f"log_{name}"
    return log


def _send_all(name: str) -> Callable[[Any, Any], None]:
    def send(rr: Any, rec: Any) -> None:
        for recipe, build in _usable(name, "columns"):
            columns = list(recipes.make(build, _FILES, _resolver(rr)))
            counts = {len(column.as_arrow_array()) for column in columns}
            if len(counts) == 1:
                (rows,) = counts
                rec.send_columns(f"all/{recipe}", [rr.TimeColumn("frame", sequence=range(rows))], columns)
        frames = [rr.TimeColumn("frame", sequence=range(_ROWS_PER_COLUMN))]
        for recipe, build in _usable(name, "batches"):
            batches = recipes.make(build, _FILES, _resolver(rr)).as_component_batches()
            columns = _repeated(_archetype(rr, name), batches)
            if columns:
                rec.send_columns(f"repeated/{recipe}", frames, columns)

    send.__name__ = f"send_{name}"
    return send


def _repeated(archetype: Any, batches: list[Any]) -> list[Any]:
    """The same values in several rows."""
    fields = {
        batch.component_descriptor().component.partition(":")[2]: batch.as_arrow_array() for batch in batches
    }
    columns: list[Any] = []
    for field, array in fields.items():
        if len(array):
            arguments = {field: pa.concat_arrays([array] * _ROWS_PER_COLUMN)}
            if archetype.__name__ == "BarChart":
                # The official SDK fails without values there.
                arguments.setdefault("values", pa.concat_arrays([fields["values"]] * _ROWS_PER_COLUMN))
            made = [
                column
                for column in archetype.columns(**arguments)
                if column.component_descriptor().component.endswith(f":{field}")
            ]
            columns += [column.partition([len(array)] * _ROWS_PER_COLUMN) for column in made]
    return columns


def _archetype(rr: Any, name: str) -> Any:
    return _resolver(rr)(f"rerun.archetypes.{name}")


for _name in ARCHETYPES:
    # Rows of one entity with different components are cut into chunks differently.
    case(same_chunks=False)(_log_all(_name))
    case()(_send_all(_name))
