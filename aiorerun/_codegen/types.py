"""Writes the modules of ``aiorerun.datatypes`` and ``aiorerun.components``, and the catalog of encodings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiorerun._codegen import docs, selection
from aiorerun._codegen.model import constant, module_of, package_of, short
from aiorerun._codegen.source import (
    HEADER,
    arguments,
    catalog_imports,
    docstring,
    imports_of,
    qualified,
    signature,
    type_doc,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun._codegen.model import Model, Type

_NESTED = ("ListNative", "RecordNative")
_NATIVES = {"int": "IntNative", "float": "FloatNative", "bool": "BoolNative", "str": "TextNative"}


def modules(model: Model) -> Iterator[tuple[str, str]]:
    """Path (below the package) and text of each module."""
    for kind, items in (("datatypes", model.datatypes), ("components", model.components)):
        package = model.package(kind)
        subjects: dict[str, list[Type]] = {}
        for item in items:
            subjects.setdefault(model.subject_of_type(item), []).append(item)
        for subject, members in sorted(subjects.items()):
            path = f"{package.replace('_', '/')}/{module_of(subject)}.py"
            yield path, _module(model, package, subject, members)
    yield f"types/coerce/{model.package('catalog')}.py", _catalog(model)


def handwritten(item: Type) -> str | None:
    """The module of a native class that is not generated."""
    table = selection.HANDWRITTEN_COMPONENTS if item.is_component else selection.HANDWRITTEN_DATATYPES
    return table.get(item.short)


def public_names(model: Model, item: Type) -> dict[str, str]:
    """Everything a type exports, and the modules."""
    subject = module_of(model.subject_of_type(item))
    names = {item.short: handwritten(item) or subject, f"{item.short}Batch": subject}
    if _has_aliases(item):
        names |= {f"{item.short}Like": subject, f"{item.short}ArrayLike": subject}
    return names


def _has_aliases(item: Type) -> bool:
    return bool(item.raw["like"])


def _is_generated(item: Type) -> bool:
    return handwritten(item) is None


def _module(model: Model, package: str, subject: str, items: list[Type]) -> str:
    body = "".join(_type(model, package, item, items) for item in items)
    aliases = _aliases(model, package, subject, items)
    names = sorted(
        {
            name
            for item in items
            for name, module in public_names(model, item).items()
            if module == module_of(subject)
        }
        | set(_extra_aliases(package, subject))
    )
    encodings = {item.encoding: constant(item.encoding) for item in items}
    natives = sorted(
        {
            name
            for name in [*_NATIVES.values(), *_NESTED, "NamedValue", "VectorNative"]
            if f"({name})" in body or f"({name}, " in body
        }
    )
    bases = sorted(
        {
            (_module_of(model, model.types[item.encoding]), short(item.encoding))
            for item in items
            if _has_base(item)
        }
    )
    mixins = [
        name
        for name in ("Batch", "ComponentBatch", "ComponentMixin")
        if f"({name})" in body or f", {name})" in body
    ]
    checked = aliases + body
    typing = ["TYPE_CHECKING", "ClassVar", *(["Any", "TypeAlias"] if aliases else [])]
    if "Literal[" in aliases:
        typing.append("Literal")
    own = sorted(
        f"from aiorerun.{package.replace('_', '.')}.{module} import {item.short}\n"
        for item in items
        if (module := handwritten(item)) is not None
    )
    parts = [
        HEADER,
        f'"""{package.replace("_", " ").capitalize()}: {docs.SUBJECTS[subject]}."""\n\n',
        "from __future__ import annotations\n\n",
        f"from typing import {', '.join(typing)}\n\n",
        "".join(f"from aiorerun.{module} import {_imported(items, name)}\n" for module, name in bases),
        f"from aiorerun.datatypes._natives import {', '.join(natives)}\n" if natives else "",
        f"from aiorerun.types.batches import {', '.join(mixins)}\n",
        catalog_imports(encodings),
        "\nif TYPE_CHECKING:\n",
        "    from collections.abc import Sequence\n\n" if "Sequence[" in checked else "",
        "    import numpy as np\n" if "np." in checked.replace("npt.", "") else "",
        "    import numpy.typing as npt\n\n" if "npt." in checked else "",
        imports_of(checked, package),
        "".join(f"    {line}" for line in own if aliases),
        "".join(f"    {line}" for line in _foreign(model, package, subject, checked)),
        "    from aiorerun.types.encoding import Encoding\n",
        "\n",
        f"__all__ = [{', '.join(map(repr, names))}]\n\n\n",
        body,
        aliases,
    ]
    return "".join(parts)


def _module_of(model: Model, item: Type) -> str:
    package = package_of(item.name).replace("_", ".")
    return f"{package}.{handwritten(item) or module_of(model.subject_of_type(item))}"


def _type(model: Model, package: str, item: Type, items: list[Type]) -> str:
    text = ""
    if item.variants:
        text += _enum(item)
    elif _is_generated(item):
        text += _component(model, item, items) if item.is_component else _datatype(model, item)
    return text + _batch(model, package, item)


def _enum(item: Type) -> str:
    assert item.variants is not None
    members = "".join(f"    {name} = {value}\n" for name, value in item.variants.items())
    return f"class {item.short}(NamedValue):\n{docstring(type_doc(item))}\n{members}\n\n"


def _has_base(item: Type) -> bool:
    """Whether it is a component whose class derives from that of its datatype."""
    return item.is_component and not item.variants and item.encoding != item.name and _is_generated(item)


def _datatype(model: Model, item: Type) -> str:
    if is_record(item):
        return _record(model, item)
    ((attribute, annotation),) = item.raw["attributes"]
    native = _NATIVES.get(annotation, "VectorNative")
    (parameter,) = item.parameters
    annotate = {parameter.name: qualified(parameter.annotation, model, inside=model.package("datatypes"))}
    value = "self._array()" if native == "VectorNative" else f"{annotation}(self._value)"
    return (
        f"class {item.short}({native}):\n{docstring(type_doc(item))}\n"
        f"    __slots__ = ()\n\n    ENCODING: ClassVar[Encoding] = {constant(item.encoding)}\n"
        f'    ATTRIBUTE = "{attribute}"\n\n'
        f"    def __init__({signature('self', [parameter], annotate)}) -> None:\n"
        f"        self._set({parameter.name})\n\n"
        f"    @property\n    def {attribute}(self) -> {annotation}:\n"
        f'        """{docs.ATTRIBUTES.get(attribute, "The value")}."""\n'
        f"        return {value}\n\n\n"
    )


def _record(model: Model, item: Type) -> str:
    parameters = item.parameters
    inside = model.package("datatypes")
    annotate = {p.name: qualified(p.annotation, model, inside=inside) for p in parameters}
    values = ", ".join(p.name for p in parameters)
    rows = arguments((p.name, f"{docs.ATTRIBUTES[p.name]}.") for p in parameters)
    about = docstring(f"{type_doc(item)}\n\n{rows}")
    return (
        f"class {item.short}(RecordNative):\n{about}\n"
        f"    __slots__ = ()\n\n    ENCODING: ClassVar[Encoding] = {constant(item.encoding)}\n\n"
        f"    def __init__({signature('self', parameters, annotate)}) -> None:\n"
        f"        self._set({values})\n\n" + "".join(_parts(model, item)) + "\n"
    )


def _parts(model: Model, item: Type) -> Iterator[str]:
    """The properties that give the parts of a struct back."""
    for position, (name, annotation) in enumerate(item.raw["attributes"]):
        kind = _own(model, annotation)
        needed = _imports_of(model, item, annotation)
        yield (
            f'    @property\n    def {name}(self) -> {kind}:\n        """{docs.ATTRIBUTES[name]}."""\n'
            f"{needed}        return {_given_back(model, annotation, f'self._plain[{position}]')}\n\n"
        )


def _own(model: Model, annotation: str) -> str:
    """An annotation of a part, in which datatypes of the module's own package stand for themselves."""
    named = annotation.replace("encodings.", "datatypes.")
    return re.sub(rf"(?<!\w){model.package('datatypes')}\.", "", named)


def _named(model: Model, kind: str) -> Type:
    """The type that an annotation names."""
    return model.types[f"rerun.{kind.replace('blueprint_', 'blueprint.')}"]


def _given_back(model: Model, annotation: str, plain: str) -> str:
    """What makes the value of a part out of plain Python."""
    kind = annotation.removesuffix(" | None")
    if kind != annotation:
        return f"None if {plain} is None else {_given_back(model, kind, plain)}"
    if "encodings." not in kind:
        return f"{kind}({plain})"
    if kind.startswith("list["):
        return f"[{_given_back(model, kind[5:-1], 'item')} for item in {plain}]"
    made = _named(model, kind)
    call = f"{made.short}._of" if is_nested(made) else made.short
    return f"{call}(seq={plain})" if made.short == "TimeInt" else f"{call}({plain})"


def _imports_of(model: Model, item: Type, annotation: str) -> str:
    """Classes of other modules, which are loaded when a part is asked for."""
    if "encodings." not in annotation:
        return ""
    short_name = annotation.removesuffix(" | None").removeprefix("list[").removesuffix("]")
    part = _named(model, short_name)
    home = _module_of(model, part)
    if home == _module_of(model, item):
        return ""
    return f"        from aiorerun.{home} import {part.short}\n\n"


def _list_component(model: Model, item: Type) -> str:
    ((attribute, annotation),) = item.raw["attributes"]
    (parameter,) = item.parameters
    annotate = {parameter.name: qualified(parameter.annotation, model, inside=model.package("components"))}
    kind = annotation.replace("encodings.", "datatypes.")
    return (
        f"class {item.short}(ListNative, ComponentMixin):\n{docstring(type_doc(item))}\n"
        f"    __slots__ = ()\n\n    ENCODING: ClassVar[Encoding] = {constant(item.encoding)}\n"
        f'    COMPONENT_TYPE = "{item.name}"\n\n'
        f"    def __init__({signature('self', [parameter], annotate)}) -> None:\n"
        f"        self._set({parameter.name})\n\n"
        f"    @property\n    def {attribute}(self) -> {kind}:\n"
        f'        """{docs.ATTRIBUTES[attribute]}."""\n'
        f"{_imports_of(model, item, annotation)}"
        f"        return {_given_back(model, annotation, 'self._plain')}\n\n\n"
    )


def _component(model: Model, item: Type, items: list[Type]) -> str:
    if item.encoding == item.name:
        return _list_component(model, item)
    return (
        f"class {item.short}({_base(item, items)}, ComponentMixin):\n{docstring(type_doc(item))}\n"
        f'    __slots__ = ()\n\n    COMPONENT_TYPE = "{item.name}"\n\n\n'
    )


def _base(item: Type, items: list[Type]) -> str:
    return _imported(items, short(item.encoding)).rpartition(" ")[2]


def _foreign(model: Model, package: str, subject: str, text: str) -> list[str]:
    """Imports of names that other modules of the package define."""
    items = model.datatypes if package == model.package("datatypes") else model.components
    homes = {name: home for item in items for name, home in public_names(model, item).items()}
    used = set(re.findall(r"(?<![\w.])[A-Z]\w*Like\b", text))
    for annotation in re.findall(r"-> ([^:]*):", text):
        used.update(re.findall(r"(?<![\w.])[A-Z]\w*", annotation))
    return sorted(
        f"from aiorerun.{package.replace('_', '.')}.{homes[name]} import {name}\n"
        for name in used
        if name in homes and homes[name] != module_of(subject)
    )


def _imported(items: list[Type], base: str) -> str:
    """A datatype under the name that components of the module use for it."""
    clash = any(item.short == base for item in items)
    return f"{base} as {base}Datatype" if clash else base


def _batch(model: Model, package: str, item: Type) -> str:
    like = item.short if _has_aliases(item) else short(item.encoding)
    annotation = qualified(f"{like}ArrayLike", model, inside=package)
    base = "ComponentBatch" if item.is_component else "Batch"
    component = f'    COMPONENT_TYPE = "{item.name}"\n' if item.is_component else ""
    return (
        f"class {item.short}Batch({base}):\n"
        f'    """Any number of :class:`{item.short}`."""\n\n'
        f"    __slots__ = ()\n\n    ENCODING: ClassVar[Encoding] = {constant(item.encoding)}\n{component}\n"
        "    if TYPE_CHECKING:\n\n"
        f"        def __init__(self, data: {annotation} | None, strict: bool | None = None) -> None: ...\n"
        "\n\n"
    )


def _extra_aliases(package: str, subject: str) -> dict[str, str]:
    return selection.ALIASES.get(subject, {}) if package == "datatypes" else {}


def _aliases(model: Model, package: str, subject: str, items: list[Type]) -> str:
    rows: dict[str, str] = {}
    for item in items:
        for kind, suffix in (("like", "Like"), ("array_like", "ArrayLike")):
            if kind in item.raw["like"]:
                name = f"{item.short}{suffix}"
                rows[name] = selection.WIDENED.get(name) or item.raw["like"][kind]
    rows |= _extra_aliases(package, subject)
    if not rows:
        return ""
    checked = "".join(
        f"    {name}: TypeAlias = {qualified(rows[name], model, inside=package)}\n"
        for name in _in_order(rows)
    )
    return f"if TYPE_CHECKING:\n{checked}else:\n    {' = '.join(rows)} = Any\n"


def _in_order(rows: dict[str, str]) -> list[str]:
    """The names such that none comes before another that it uses."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in rows and name not in ordered:
            for used in re.findall(r"\w+", rows[name]):
                if used != name:
                    add(used)
            ordered.append(name)

    for name in rows:
        add(name)
    return ordered


def _catalog(model: Model) -> str:
    families: dict[str, set[str]] = {}
    lines: list[str] = []
    for item in _needed_first(model.encodings):
        family, expression = _family(item)
        for name in re.findall(r"\b[A-Z][a-z]\w*(?=\()", expression):
            home = "records" if name in ("Part", "PlainLists") else family
            families.setdefault(home, set()).add(name)
        lines.append(f"{constant(item.name)}: Final = {expression}\n")
    own = {constant(item.name) for item in model.encodings}
    foreign = {name for line in lines for name in _constants(line.partition(" = ")[2])} - own
    if foreign:
        families["catalog"] = foreign
    imports = "".join(
        f"from aiorerun.types.coerce.{family} import {', '.join(sorted(names))}\n"
        for family, names in sorted(families.items())
    )
    what = f"Every encoding of {model.scope}s" if model.scope else "Every encoding there is"
    return (
        f'{HEADER}"""{what}, once: forms compare them by identity."""\n\n'
        f"from __future__ import annotations\n\nfrom typing import Final\n\n{imports}\n{''.join(lines)}"
    )


def _constants(expression: str) -> list[str]:
    """The encodings that an expression names."""
    return re.findall(r"\b[A-Z][A-Z0-9_]+\b", re.sub(r"\"[^\"]*\"|'[^']*'", "", expression))


def _needed_first(items: list[Type]) -> list[Type]:
    """Encodings that others are made of before these."""
    expressions = {constant(item.name): _family(item)[1] for item in items}

    def depth(name: str) -> int:
        return 1 + max(
            (depth(part) for part in _constants(expressions[name]) if part in expressions), default=0
        )

    return sorted(items, key=lambda item: depth(constant(item.name)))


def is_record(item: Type) -> bool:
    """Whether it is a struct that is built of its parts."""
    return item.raw["arrow"]["type"] == "struct" and item.short not in selection.FAMILIES


def is_nested(item: Type) -> bool:
    """Whether its natives hold plain Python."""
    return is_record(item) or item.short == "TimeRangeBoundary"


def _record_encoding(item: Type) -> tuple[str, str]:
    module, name, least = selection.RECORDS.get(item.short, ("records", "RecordEncoding", 0))
    annotations = dict(item.raw["attributes"])
    parts = ", ".join(
        f'Part("{field["name"]}", {_part(field, annotations[field["name"]])}'
        f"{', nullable=True' if field['nullable'] else ''})"
        for field in item.raw["arrow"]["fields"]
    )
    return module, f'{name}("{item.short}", {parts}{f", least={least}" if least else ""})'


def _part(field: dict[str, Any], annotation: str) -> str:
    """The encoding of a part of a struct."""
    kind = annotation.removesuffix(" | None")
    if kind.startswith("list["):
        return f"PlainLists({_part(field, kind[5:-1])})"
    if "encodings." in kind:
        return constant(kind)
    return {"utf8": "UTF8", "bool": "BOOL"}.get(field["type"]["type"], constant(field["type"]["type"]))


def _family(item: Type) -> tuple[str, str]:
    """Module and expression of the encoding of a type."""
    if item.short in selection.FAMILIES:
        return selection.FAMILIES[item.short]
    arrow = item.raw["arrow"]
    kind = arrow["type"]
    if item.variants:
        dtype = "" if kind == "uint8" else f', "{kind}"'
        return "enums", f'EnumEncoding("{item.short}", {item.variants!r}{dtype})'
    if kind == "struct":
        return _record_encoding(item)
    if kind == "bool":
        return "numbers", "BoolEncoding()"
    if kind == "utf8":
        return "text", "TextEncoding()"
    if kind.startswith(("float", "int", "uint")):
        return "numbers", f'NumberEncoding("{kind}")'
    if kind == "fixed_size_list":
        return "vectors", f'VectorEncoding("{arrow["item"]["type"]["type"]}", {arrow["size"]})'
    if kind == "list" and arrow["item"]["type"]["type"] == "uint8":
        return "blobs", "BlobEncoding()"
    raise LookupError(f"{item.name}: which family encodes {arrow}? Name one in selection.FAMILIES")
