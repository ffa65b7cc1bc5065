"""Takes what the generator needs out of a full description of Rerun's types."""

from __future__ import annotations

import json
from typing import Any


def extract(full: dict[str, Any]) -> dict[str, Any]:
    """The part of the description that the generator reads."""
    return {
        "sdk_version": full["provenance"]["sdk_version"],
        "archetypes": {name: _archetype(spec) for name, spec in full["archetypes"].items()},
        "components": {name: _type(spec) for name, spec in full["components"].items()},
        "encodings": {name: _type(spec) for name, spec in full["encodings"].items()},
        "enums": {
            name: {variant["name"]: variant["value"] for variant in spec["variants"]}
            for name, spec in full["enums"].items()
        },
        "exports": full["exports"]["rerun"],
        "blueprint_exports": full["exports"]["rerun.blueprint"],
        "views": {name: _view(spec) for name, spec in full["views"].items()},
    }


def dumps(data: dict[str, Any]) -> str:
    """The data as text with one line per type, so that changes between releases can be read."""
    parts: list[str] = []
    for key, value in data.items():
        if isinstance(value, dict):
            lines = [f"  {json.dumps(name)}: {_compact(spec)}" for name, spec in value.items()]
            parts.append(f"{json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n }")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _archetype(spec: dict[str, Any]) -> dict[str, Any]:
    columns = spec["columns"]
    return {
        "fields": [
            [field["name"], field["component_type"], field["from_fields_annotation"], field["many"]]
            for field in spec["fields"]
        ],
        "constructor": [_parameter(item) for item in spec["constructor"]["parameters"]],
        "columns": None if columns is None else {p["name"]: p["annotation"] for p in columns["parameters"]},
        "visualizer": spec["visualizer"],
    }


def _view(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "class_identifier": spec["class_identifier"],
        "constructor": [_parameter(item) for item in spec["constructor"]["parameters"]],
        "properties": {item["parameter"]: item["archetype"] for item in spec["properties"]},
    }


def _type(spec: dict[str, Any]) -> dict[str, Any]:
    native = spec.get("native_class") or {}
    constructor = native.get("constructor") or {"parameters": []}
    return {
        "arrow": spec["arrow"],
        "delegates_to": spec.get("delegates_to"),
        "is_enum": spec["is_enum"],
        "like": spec["like"],
        "attributes": [[item["name"], item["annotation"]] for item in native.get("attributes", [])],
        "constructor": [_parameter(item) for item in constructor["parameters"]],
        "constants": {name: item["value"] for name, item in (native.get("constants") or {}).items()},
        "used_by": spec["used_by"],
    }


def _parameter(item: dict[str, Any]) -> list[Any]:
    """Name, kind, annotation, default (as source, ``None`` if required)."""
    return [item["name"], item["kind"], item["annotation"], item.get("default")]
