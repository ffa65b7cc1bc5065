"""Recorded recipes: JSON expressions that describe how an object is made, and what came of it elsewhere."""

from __future__ import annotations

import base64
import datetime as dt
import importlib
import io
import json
import math
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent / "data"

_TOP_LEVEL = {
    "AnyValues": "aiorerun.types.any_values",
    "AnyBatchValue": "aiorerun.types.any_values",
    "DynamicArchetype": "aiorerun.types.any_values",
    "ComponentColumn": "aiorerun.types.batches",
    "ComponentDescriptor": "aiorerun.types.descriptors",
}
_PACKAGES = ("archetypes", "components", "datatypes")


DIFFERENT = {
    "Boxes2D/array_two_rows_YXHW": "each rectangle keeps its own numbers",
    "Ellipsoids3D/radius_scalar": "a single radius makes one sphere",
    "GaussianSplats3D/columns_shape_sh_2x15x3": "each row has its coefficients",
    "Image/warning_unknown_model": "one error, without a warning before it",
    "McapStatistics/cleared": "counts can be cleared",
    "McapStatistics/error_channel_counts_dict": "counts can be given as a dictionary",
    "Pinhole/warning_no_focal_length": "one warning for one mistake",
    "Points3D/columns_partition_bad_sum": "lengths must add up",
    "Points3D/columns_shape_colors_one_rgb": "told instead of three empty rows",
    "Points3D/columns_shape_colors_u8_2x2x3": "no color is dropped",
    "Points3D/columns_shape_error_wrong_shape": "one error, without a warning before it",
    "Points3D/columns_shape_positions_batch": "batches are accepted",
    "Scalars/columns_shape_ragged": "one error, without a warning before it",
    "VideoFrameReference/columns_millis": "fractions of milliseconds are kept",
    "VideoFrameReference/columns_secs": "fractions of seconds are kept",
    "VideoFrameReference/columns_shape_batch": "batches are accepted",
    "ViewCoordinates/columns_shape_single": "three directions are one row",
    "component.PinholeProjection": "a single matrix is not transposed a second time",
    "component.TransformMat3x3_columns": "a single matrix is not transposed a second time",
    "component.TransformMat3x3_rows": "a single matrix is not transposed a second time",
}
"""Recipes that give something else here, and why; documented in docs/differences.md."""


@cache
def load(name: str) -> Any:
    """A file of the test data."""
    return json.loads((DATA / name).read_text())


def resolve(path: str) -> Any:
    """The object that a name of the official SDK stands for, here."""
    first, *rest = path.removeprefix("rerun.").split(".")
    first = "datatypes" if first == "encodings" else first
    if first in _PACKAGES:
        found: Any = importlib.import_module(f"aiorerun.{first}")
    elif first == "blueprint":
        found = importlib.import_module("aiorerun.blueprint")
    elif first in _TOP_LEVEL:
        found = getattr(importlib.import_module(_TOP_LEVEL[first]), first)
    else:
        modules = [importlib.import_module(f"aiorerun.{package}") for package in _PACKAGES]
        found = next(getattr(module, first) for module in modules if hasattr(module, first))
    for name in rest:
        found = getattr(found, name)
    return found


def resolve_official(path: str) -> Any:
    """The same of the official SDK itself."""
    first, *rest = path.removeprefix("rerun.").split(".")
    import rerun

    found: Any = rerun
    for name in (first, *rest):
        found = getattr(found, name, None) or importlib.import_module(f"rerun.{name}")
    return found


def make(expression: Any, folder: Path, resolve: Callable[[str], Any] = resolve) -> Any:
    """Makes the object that an expression describes; files are written into ``folder``."""
    if isinstance(expression, list):
        return [make(item, folder, resolve) for item in expression]
    if not isinstance(expression, dict):
        return expression
    operator = next((key for key in expression if key.startswith("$")), None)
    if operator is None:
        return {key: make(item, folder, resolve) for key, item in expression.items()}
    argument = expression[operator]

    def made(item: Any) -> Any:
        return make(item, folder, resolve)

    if operator in ("$new", "$call"):
        target = resolve(argument) if operator == "$new" else getattr(made(expression["on"]), argument)
        given = expression.get("kwargs", {})
        pairs = given.items() if isinstance(given, dict) else given
        return target(*map(made, expression.get("args", [])), **{key: made(item) for key, item in pairs})
    if operator in ("$tuple", "$set", "$iter"):
        items = [made(item) for item in argument]
        return tuple(items) if operator == "$tuple" else set(items) if operator == "$set" else iter(items)
    if operator == "$map":
        return {made(key): made(item) for key, item in argument}
    if operator == "$pa":
        return pa.array([made(item) for item in argument["values"]], arrow_type(argument["type"]))
    if operator == "$file":
        path = folder / argument["name"]
        path.write_bytes(base64.b64decode(argument["base64"]))
        return str(path)
    return resolve(argument) if operator == "$get" else _PLAIN[operator](argument)


def _array(spec: dict[str, Any]) -> Any:
    dtype = np.dtype(spec["dtype"])
    data = spec["data"]
    if dtype.kind in "mM":
        array = np.array(data, np.int64).view(dtype)
    else:
        array = np.array(
            [float(item) if isinstance(item, str) and dtype.kind == "f" else item for item in data], dtype
        )
    array = array.reshape(spec["shape"])
    if spec.get("order") == "F":
        array = np.asfortranarray(array)
    return array[::-1] if spec.get("reversed") else array


def _picture(spec: dict[str, Any]) -> Any:
    from PIL import Image

    return Image.frombytes(spec["mode"], tuple(spec["size"]), base64.b64decode(spec["base64"]))


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "$np": _array,
    "$npscalar": lambda spec: np.dtype(spec["dtype"]).type(spec["value"]),
    "$nptype": lambda name: np.dtype(name).type,
    "$bytes": base64.b64decode,
    "$bytearray": lambda text: bytearray(base64.b64decode(text)),
    "$memoryview": lambda text: memoryview(base64.b64decode(text)),
    "$bytesio": lambda text: io.BytesIO(base64.b64decode(text)),
    "$range": lambda bounds: range(*bounds),
    "$float": float,
    "$int": int,
    "$complex": lambda parts: complex(*parts),
    "$uuid": uuid.UUID,
    "$path": Path,
    "$datetime": dt.datetime.fromisoformat,
    "$timedelta_us": lambda count: dt.timedelta(microseconds=count),
    "$object": lambda _: object(),
    "$pil": _picture,
}


def arrow_type(spec: dict[str, Any]) -> Any:
    """The Arrow type that a description stands for."""
    kind = spec["type"]
    if kind == "struct":
        return pa.struct([_field(item) for item in spec["fields"]])
    if kind == "fixed_size_list":
        return pa.list_(_field(spec["item"]), spec["size"])
    if kind == "list":
        return pa.list_(_field(spec["item"]))
    if kind == "union":
        return pa.dense_union([_field(item) for item in spec["fields"]], type_codes=spec["type_ids"])
    if kind in ("null", "binary"):
        return getattr(pa, kind)()
    return pa.type_for_alias(kind)


def _field(spec: dict[str, Any]) -> Any:
    return pa.field(spec["name"], arrow_type(spec["type"]), nullable=spec["nullable"])


def arrow_array(text: str) -> Any:
    """An array out of base64 text: an Arrow IPC stream of one batch with one column."""
    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return reader.read_next_batch().column(0)


def same_type(one: Any, other: Any) -> bool:
    """Whether two types are the same in everything a schema says."""
    one, other = (pa.schema([pa.field("", kind)]).serialize().to_pybytes() for kind in (one, other))
    return bool(one == other)


def plain(value: Any, limit: int | None = None) -> Any:
    """Values in the form in which they are recorded; long lists are cut."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, bytes | bytearray):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(key): plain(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        shown = [plain(item, limit) for item in value[:limit]]
        return shown if limit is None or len(value) <= limit else [*shown, {"$more": len(value) - limit}]
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$timedelta_us": value // dt.timedelta(microseconds=1)}
    if isinstance(value, uuid.UUID):
        return {"$repr": "UUID"}
    return value


def family(exception: str) -> str:
    """Whether an exception says that the value, or its type, is wrong; else its own name."""
    if exception in ("ValueError", "ArrowInvalid", "OverflowError", "IndexError"):
        return "value"
    if exception in (
        "TypeError",
        "ArrowTypeError",
        "AttributeError",
        "AssertionError",
        "ArrowNotImplementedError",
    ):
        return "type"
    return exception
