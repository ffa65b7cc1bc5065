"""Writes ``aiorerun.blueprint.views``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun._codegen import docs_blueprint
from aiorerun._codegen.model import short
from aiorerun._codegen.source import HEADER, arguments, docstring, imports_of, qualified, signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun._codegen.model import Model, View

_WIDENED: Final = {
    "Iterable[AsComponents | Iterable[DescribedComponentBatch]] | None": "Iterable[AsComponents | "
    "DescribedComponentBatch | Iterable[DescribedComponentBatch]] | None",
    "blueprint_archetypes.PlotLegend | blueprint_components.Corner2D | None": (
        "blueprint_archetypes.PlotLegend | blueprint_components.Corner2DLike | None"
    ),
    "blueprint_archetypes.SpatialInformation | None": (
        "blueprint_archetypes.SpatialInformation | encodings.Utf8Like | None"
    ),
}
"""What may be passed, where the official annotation leaves out something that works."""


def modules(model: Model) -> Iterator[tuple[str, str]]:
    """Path (below the package) and text of the module, if the model is that of blueprints."""
    if model.scope:
        yield "blueprint/views.py", _module(model)


def _module(model: Model) -> str:
    body = "".join(_class(model, item) for item in model.views)
    names = ", ".join(f'"{short(item.name)}"' for item in model.views)
    return (
        f'{HEADER}"""Views: what shows entities, each kind in its own way."""\n\n'
        "from __future__ import annotations\n\n"
        "from typing import TYPE_CHECKING\n\n"
        "from aiorerun.blueprint.parts import View\n\n"
        "if TYPE_CHECKING:\n"
        "    from collections.abc import Iterable, Mapping, Sequence\n\n"
        f"{imports_of(body)}"
        "    from aiorerun.blueprint.parts import ViewContentsLike, VisualizerLike\n"
        "    from aiorerun.types.batches import AsComponents, DescribedComponentBatch\n\n"
        f"__all__ = [{names}]\n\n\n{body}"
    )


def _class(model: Model, item: View) -> str:
    name = short(item.name)
    annotate = {p.name: qualified(_WIDENED.get(p.annotation, p.annotation), model) for p in item.parameters}
    rows = [(p.name, docs_blueprint.VIEW_PARAMETERS[p.name]) for p in item.parameters]
    text = f"{docs_blueprint.VIEWS[name]}\n\n{arguments(rows)}"
    common = "".join(
        f"            {p.name}={p.name},\n" for p in item.parameters if p.name not in item.properties
    )
    properties = "".join(
        f'                "{parameter}": ("{short(archetype)}", {parameter}),\n'
        for parameter, archetype in item.properties.items()
    )
    return (
        f"class {name}(View):\n{docstring(text)}\n"
        f"    def __init__({signature('self', item.parameters, annotate)}) -> None:\n"
        f'        super().__init__(\n            class_identifier="{item.class_identifier}",\n{common}'
        "            properties=self._properties(\n                {\n"
        f"{properties}                }}\n            ),\n        )\n\n\n"
    )
