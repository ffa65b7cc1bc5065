"""The names of files that are made one after the other: a pattern with fields, and what fits it. Pure."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Final

OPEN_SUFFIX: Final = ".part"
"""What the name of a file ends with that is not finished yet."""

_FIELDS: Final = ("index", "start", "pid")
_START: Final = "%Y%m%d-%H%M%S"
_INDEX: Final = "06"

# What strftime writes for these; everything else may be any text.
_TIME_PARTS: Final = {
    "Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "f": r"\d{6}",
    "j": r"\d{3}", "y": r"\d\d", "%": "%",
}  # fmt: skip
_OTHER_TIME_PART: Final = r".+?"


class PartNames:
    """Makes the names of parts, and recognises them.

    The file name may have the fields ``{index}``, the number of the part; ``{start}``, when it was begun, in
    UTC; and ``{pid}``, the id of the process. The first takes a format for decimal numbers, as in
    ``{index:04}``, the second one for ``strftime``, as in ``{start:%Y-%m-%d}``.

    Args:
        path: The pattern. Its directory has no fields.
        argument: Its name, for errors.
        numbered: What to do if it has neither an index nor a start: number all parts. Otherwise only names
            that are taken get a number.

    Attributes:
        folder: Where the parts are, as it was given.
        pattern: The file name with its fields.

    Raises:
        ValueError: It has other fields, or fields elsewhere.
    """

    def __init__(self, path: str | os.PathLike[str], argument: str, *, numbered: bool) -> None:
        whole = Path(path)
        self._argument = argument
        self.folder = whole.parent
        self.pattern = whole.name
        if any(field for _, field, _, _ in self._parse(str(self.folder))):
            raise ValueError(f"{argument}: only the file name may have fields, not the directory of {path}")
        fields = {field for _, field, _, _ in self._parse(self.pattern)} - {None}
        if not self.pattern or fields - set(_FIELDS):
            raise ValueError(
                f"{argument}: {str(path)!r} may have the fields {{index}}, {{start:%Y%m%d}} and {{pid}}, and "
                "braces that are doubled"
            )
        if numbered and not fields & {"index", "start"}:
            stem, suffix = _split(self.pattern)
            self.pattern = f"{stem}-{{index:{_INDEX}}}{suffix}"
            fields.add("index")
        self.has_index = "index" in fields
        self._pid = -1
        self._regex = self._compile()
        if self.index_of(self.name(12_345, 0.0)) != 12_345:
            raise ValueError(
                f"{argument}: {str(path)!r} has an index that is not written as a decimal number"
            )

    def name(self, number: int, time: float) -> str:
        """The name of a part.

        Args:
            number: The index; without such a field, how often the name was taken, from 1 on.
            time: When it was begun, in seconds since the epoch.
        """
        start = datetime.fromtimestamp(time, UTC)
        pieces: list[str] = []
        for literal, field, spec, _ in self._parse(self.pattern):
            pieces.append(literal)
            if field == "index":
                pieces.append(format(number, spec or _INDEX))
            elif field == "start":
                pieces.append(start.strftime(spec or _START))
            elif field == "pid":
                pieces.append(format(os.getpid(), spec or ""))
        name = "".join(pieces)
        if self.has_index or number == 1:
            return name
        stem, suffix = _split(name)
        return f"{stem}-{number}{suffix}"

    def index_of(self, name: str) -> int | None:
        """The number of the part of this name, see :meth:`name`; ``None`` if it is no part."""
        if self._pid != os.getpid():
            self._regex = self._compile()
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        return int(found["index"] or 1)

    @property
    def lock_name(self) -> str:
        """A file that who makes these parts keeps locked."""
        blanks = {"index": "N", "start": "T", "pid": str(os.getpid()), None: ""}
        parsed = self._parse(self.pattern)
        return "".join([".", *(f"{literal}{blanks[field]}" for literal, field, _, _ in parsed), ".lock"])

    def _parse(self, text: str) -> list[tuple[str, str | None, str | None, str | None]]:
        try:
            parsed = list(Formatter().parse(text))
        except ValueError as error:
            raise ValueError(
                f"{self._argument}: {text!r}: {error}; double braces that are no fields"
            ) from None
        if any(conversion for _, _, _, conversion in parsed):
            raise ValueError(f"{self._argument}: {text!r}: fields take no conversions")
        return parsed

    def _compile(self) -> re.Pattern[str]:
        self._pid = os.getpid()
        seen = False
        pieces: list[str] = []
        parsed = self._parse(self.pattern)
        for position, (literal, field, spec, _) in enumerate(parsed):
            before, after = (literal, "") if position < len(parsed) - 1 or field else _split(literal)
            pieces.append(re.escape(before))
            if field == "index":
                pieces.append(r"\d+" if seen else r"(?P<index>\d+)")
                seen = True
            elif field == "start":
                pieces.append(_time_regex(spec or _START))
            elif field == "pid":
                pieces.append(re.escape(format(self._pid, spec or "")))
            if position == len(parsed) - 1 and not self.has_index:
                pieces.append(r"(?:-(?P<index>\d+))?")
            pieces.append(re.escape(after))
        return re.compile("".join(pieces))


def _split(name: str) -> tuple[str, str]:
    """A name, or the end of one, without its suffix; and the suffix."""
    stem, dot, suffix = name.rpartition(".")
    # What a format has in it is no suffix.
    return (stem, dot + suffix) if dot and "}" not in suffix else (name, "")


def _time_regex(spec: str) -> str:
    pieces: list[str] = []
    position = 0
    while position < len(spec):
        if spec[position] == "%" and position + 1 < len(spec):
            pieces.append(_TIME_PARTS.get(spec[position + 1], _OTHER_TIME_PART))
            position += 2
        else:
            pieces.append(re.escape(spec[position]))
            position += 1
    return "".join(pieces)
