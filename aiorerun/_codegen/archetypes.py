"""Writes the modules of ``aiorerun.archetypes``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

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
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun._codegen.model import Archetype, Model


def modules(model: Model) -> Iterator[tuple[str, str]]:
    """Path (below the package) and text of each module."""
    subjects: dict[str, list[Archetype]] = {}
    for item in model.archetypes:
        subjects.setdefault(model.subject_of_archetype(item.name), []).append(item)
    folder = model.package("archetypes").replace("_", "/")
    for subject, items in sorted(subjects.items()):
        yield f"{folder}/{module_of(subject)}.py", _module(model, subject, items)


def _module(model: Model, subject: str, items: list[Archetype]) -> str:
    names = sorted(class_name(item) for item in items)
    encodings = {
        model.types[field.component].encoding: _encoding(model, field.component)
        for item in items
        for field in item.fields
    }
    classes = "".join(_class(model, item) for item in items)
    visual = any(item.visualizer for item in items)
    plain = any(not item.visualizer for item in items)
    fast = any(item.short in selection.FAST_NUMBER or item.short in selection.FAST_TEXT for item in items)
    parts = [
        HEADER,
        f'"""Archetypes: {docs.SUBJECTS[subject]}."""\n\n',
        "from __future__ import annotations\n\n",
        "import struct\n" if any(item.short in selection.FAST_NUMBER for item in items) else "",
        "from typing import TYPE_CHECKING, ClassVar\n\n",
        f"from aiorerun.archetypes._base import {'Archetype, ' if plain else ''}fields\n",
        "from aiorerun.archetypes._visual import Visual\n" if visual else "",
        catalog_imports(encodings),
        "from aiorerun.types.encoding import FIXED, TEXT\n" if fast else "",
        "from aiorerun.types.form import ColumnSpec, Form\n" if fast else "",
        "\nif TYPE_CHECKING:\n",
        "    from collections.abc import Callable\n    from typing import Self\n\n",
        imports_of(classes),
        "    from aiorerun.types.batches import ComponentColumnList\n",
        "    from aiorerun.types.descriptors import ComponentDescriptor\n\n",
        f"__all__ = [{', '.join(map(repr, names))}]\n\n\n",
    ]
    text = "".join([*parts, classes])
    if not any(item.has_columns for item in items):
        text = text.replace("    from aiorerun.types.batches import ComponentColumnList\n", "")
    if "FIXED" not in text.partition("__all__")[2]:
        text = text.replace("import FIXED, TEXT", "import TEXT")
    if " TEXT)" not in text.partition("__all__")[2]:
        text = text.replace("import FIXED, TEXT", "import FIXED")
    return text


def class_name(item: Archetype) -> str:
    """The generated class: the archetype itself, or the base of the hand-written one."""
    return f"{item.short}Fields" if item.short in selection.HANDWRITTEN_ARCHETYPES else item.short


def _encoding(model: Model, component: str) -> str:
    return constant(model.types[component].encoding)


def _class(model: Model, item: Archetype) -> str:
    handwritten = item.short in selection.HANDWRITTEN_ARCHETYPES
    summary = docs.ARCHETYPES[item.short]
    if handwritten:
        package = model.package("archetypes").replace("_", ".")
        text = f"The fields of :class:`aiorerun.{package}.{item.short}`."
    else:
        text = f"{summary}\n\n{arguments(_parameters(model, item))}"
        if item.short in docs.EXAMPLES:
            text += f"\n\nExample:\n{textwrap.indent(docs.EXAMPLES[item.short], '    ')}"
    rows = "".join(
        f'        ("{field.name}", "{field.component}", {_encoding(model, field.component)}),\n'
        for field in item.fields
    )
    parts = [
        f"class {class_name(item)}({'Visual' if item.visualizer else 'Archetype'}):\n",
        docstring(text),
        "\n    __slots__ = ()\n\n",
        f'    NAME = "{item.name}"\n',
        f'    VISUALIZER = "{item.visualizer}"\n' if item.visualizer else "",
        f"    FIELDS = fields(\n        NAME,\n{rows}    )\n\n",
        _declarations(model, item),
    ]
    if not handwritten:
        parts.append(_constructor(model, item))
    parts += [_from_fields(model, item), _columns(model, item), "\n"]
    text = "".join(parts)
    if item.short in selection.FAST_NUMBER:
        text += _fast_form(item.short, "FIXED", 1)
    if item.short in selection.FAST_TEXT:
        text += _fast_form(item.short, "TEXT", 1) + _fast_form(item.short, "TEXT", 2)
    return text + "\n"


def _parameters(model: Model, item: Archetype) -> Iterator[tuple[str, str]]:
    """What each parameter is for, and which values it takes."""
    fields = {field.name: field for field in item.fields}
    for parameter in item.parameters:
        field = fields[parameter.name]
        shape = docs.shape(model.types[field.component], many=field.many)
        text = docs.field(item.short, parameter.name)
        yield parameter.name, f"{text} {shape[0].upper()}{shape[1:]}." if shape else text


def _declarations(model: Model, item: Archetype) -> str:
    names = [
        f"        {field.name}: {package_of(field.component)}.{short(field.component)}Batch | None\n"
        for field in item.fields
    ]
    getters = [
        f"        descriptor_{field.name}: ClassVar[Callable[[], ComponentDescriptor]]\n"
        for field in item.fields
    ]
    return "".join(["    if TYPE_CHECKING:\n", *names, *getters, "\n"])


def _constructor(model: Model, item: Archetype) -> str:
    annotate = {p.name: qualified(p.annotation, model) for p in item.parameters}
    comma = "," if len(item.fields) == 1 else ""
    values = ", ".join(field.name for field in item.fields) + comma
    kinds = ", ".join(f"type({field.name})" for field in item.fields) + comma
    return (
        f"    def __init__({signature('self', item.parameters, annotate)}) -> None:\n"
        + selection.PREPARE.get(item.short, "")
        + _fast_path(item)
        + f"        self._take(({kinds}), ({values}))\n\n"
    )


def _fast_path(item: Archetype) -> str:
    """What the most frequent call of all is answered with, without looking up a plan."""
    first, *others = [p.name for p in item.parameters]
    unset = "".join(f" and {name} is None" for name in others)
    form = f"_{constant(item.short)}"
    if item.short in selection.FAST_NUMBER:
        return (
            f"        if type({first}) is float{unset}:\n"
            f"            self._row = ({form}_FORM, {form}_PACK({first}), ())\n"
            "            return\n"
        )
    if item.short in selection.FAST_TEXT:
        second, *rest = others
        unset = "".join(f" and {name} is None" for name in rest)
        return (
            f"        if type({first}) is str and {first}.isascii(){unset}:\n"
            f"            if type({second}) is str and {second}.isascii():\n"
            f'                self._row = ({form}_FORM2, b"", ({first}, {second}))\n'
            "                return\n"
            f"            if {second} is None:\n"
            f'                self._row = ({form}_FORM, b"", ({first},))\n'
            "                return\n"
        )
    return ""


def _fast_form(name: str, shape: str, count: int) -> str:
    suffix = "" if count == 1 else str(count)
    text = (
        f"_{constant(name)}_FORM{suffix} = Form.of([ColumnSpec(field.descriptor, field.encoding, {shape}) "
        f"for field in {name}.FIELDS[:{count}]])\n"
    )
    if shape == "FIXED":
        text += f'_{constant(name)}_PACK = struct.Struct("{selection.FAST_NUMBER[name]}").pack\n'
    return text


def _from_fields(model: Model, item: Archetype) -> str:
    parameters = "".join(
        f", {field.name}: {qualified(field.annotation, model)} = None" for field in item.fields
    )
    values = ", ".join(field.name for field in item.fields)
    comma = "," if len(item.fields) == 1 else ""
    return (
        f"    @classmethod\n    def from_fields(cls, *, clear_unset: bool = False{parameters}) -> Self:\n"
        '        """Sets some fields only. The others are not logged, or cleared with ``clear_unset``."""\n'
        f"        return cls._from_values(clear_unset, ({values}{comma}))\n\n"
    )


def _columns(model: Model, item: Archetype) -> str:
    if not item.has_columns:
        return ""
    parameters = ", ".join(
        f"{field.name}: {qualified(field.columns_annotation or '', model)} = None" for field in item.fields
    )
    values = ", ".join(field.name for field in item.fields)
    return (
        f"    @classmethod\n    def columns(cls, *, {parameters}) -> ComponentColumnList:\n"
        '        """Columns for ``send_columns``: one row per element of each array\'s first axis."""\n'
        f"        return cls._columns({values})\n"
    )
