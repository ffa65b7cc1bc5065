"""Takes what the tests compare with out of the full recordings of the official SDK's results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun._codegen.model import Model

_ALSO = frozenset({"AnyValues", "ComponentColumn", "DynamicArchetype", "Position3DBatch"})
"""Recipes that are not of an archetype."""


def write(models: tuple[Model, Model], source: Path, target: Path) -> list[Path]:
    """Writes what the tests need of ``golden.json``, ``coercions.json`` and ``types.json``.

    Args:
        models: The two vocabularies: what is logged, and what blueprints are made of.
        source: Folder with the full recordings.
        target: Folder of the tests' data.
    """
    full, types = (json.loads((source / name).read_text()) for name in ("golden.json", "types.json"))
    coercions = _coercions(models, json.loads((source / "coercions.json").read_text()))
    written: list[Path] = []
    for name, data in (
        ("golden.json", _golden(models[0], full)),
        ("coercions.json", coercions),
        ("blueprints.json", _blueprints(models[1], full, types)),
    ):
        path = target / name
        path.write_text(_lines(data))
        written.append(path)
    return written


def _lines(data: dict[str, Any]) -> str:
    """JSON with one line per recipe or result."""
    parts: list[str] = []
    for key, value in data.items():
        if isinstance(value, list):
            rows = ",\n".join(_compact(item) for item in value)
            parts.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            rows = ",\n".join(f"{json.dumps(name)}: {_compact(item)}" for name, item in value.items())
            parts.append(f"{json.dumps(key)}: {{\n{rows}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _golden(model: Model, full: dict[str, Any]) -> dict[str, Any]:
    subjects = {item.short for item in model.archetypes} | _ALSO
    components = {item.short for item in model.components}
    types: list[Any] = []
    recipes: list[Any] = []
    for recipe in full["recipes"]:
        subject, _, rest = recipe["id"].partition("/")
        if subject.startswith("component."):
            rest = subject.removeprefix("component.").partition("_")[0]
            if rest not in components:
                continue
        elif subject not in subjects:
            continue
        recipes.append(_recipe(recipe, types))
    return {"types": types, "recipes": recipes}


def _blueprints(model: Model, full: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Recipes of the archetypes of blueprints, whole blueprints, and signatures."""
    subjects = {f"blueprint.{item.short}" for item in model.archetypes}
    types: list[Any] = []
    recipes = [
        _recipe(recipe, types) for recipe in full["recipes"] if recipe["id"].partition("/")[0] in subjects
    ]
    whole = [_blueprint(item, types) for item in full["blueprints"]]
    return {"types": types, "recipes": recipes, "blueprints": whole, "signatures": _signatures(described)}


def _blueprint(item: dict[str, Any], types: list[Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": item["id"], "build": item["build"]}
    if "error" in item["result"]:
        kept["error"] = item["result"]["error"]["exception"]
    else:
        kept["rows"] = [
            [call["entity_path"], call["static"], [_batch(batch, types) for batch in call["batches"]]]
            for call in item["result"]["log_calls"]
        ]
    return kept


def _signatures(described: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, spec in described["blueprint_api"].items():
        if name == "type_aliases":
            continue
        found[name] = _parameters(spec["constructor"])
        for member in spec["members"]:
            given = _parameters(member["signature"]) if "signature" in member else None
            found[f"{name}.{member['name']}"] = given
    for kind in ("containers", "panels"):
        for name, spec in described[kind].items():
            found[f"rerun.blueprint.{name}"] = _parameters(spec["constructor"])
    for spec in described["views"].values():
        found[spec["name"]] = _parameters(spec["constructor"])
    return found


def _parameters(signature: dict[str, Any]) -> list[list[Any]]:
    return [[item["name"], item["kind"], item.get("default")] for item in signature["parameters"]]


def _recipe(recipe: dict[str, Any], types: list[Any]) -> dict[str, Any]:
    result = recipe["result"]
    kept: dict[str, Any] = {"id": recipe["id"], "kind": recipe["kind"], "build": recipe["build"]}
    batches = result.get("batches", [result["array"]] if "array" in result else None)
    if batches is not None:
        kept["batches"] = [_batch(batch, types) for batch in batches]
    for key, value in (("error", result.get("error")), ("strict_error", recipe.get("strict_error"))):
        if value is not None:
            kept[key] = value["exception"]
    if result.get("warnings"):
        kept["warnings"] = [item["category"] for item in result["warnings"]]
    return kept


def _batch(batch: dict[str, Any], types: list[Any]) -> list[Any]:
    if batch["arrow"] not in types:
        types.append(batch["arrow"])
    names = [batch.get(key) for key in ("component", "archetype", "component_type")]
    return [*names, types.index(batch["arrow"]), None if batch.get("volatile") else batch["ipc"]]


def _coercions(models: tuple[Model, Model], full: dict[str, Any]) -> dict[str, Any]:
    known = {item.name for model in models for item in [*model.components, *model.datatypes]}
    batches = {name: _results(spec) for name, spec in full["batches"].items() if name in known}
    values = {
        name: {kind: _result(item) for kind, item in result.items()}
        for name, result in full["any_batch_value"].items()
    }
    return {"inputs": full["inputs"], "batches": batches, "any_values": values}


def _results(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "own_inputs": spec.get("own_inputs", {}),
        "results": {
            name: _result(item) for name, item in spec["results"].items() if "input_fails" not in item
        },
    }


def _result(item: dict[str, Any]) -> Any:
    """What came out: values, or the name of the exception."""
    if "error" in item:
        return {"error": item["error"]["exception"]}
    kept: dict[str, Any] = {key: item[key] for key in ("values", "type", "dropped") if key in item}
    if item.get("warnings"):
        kept["warnings"] = len(item["warnings"])
    return kept
