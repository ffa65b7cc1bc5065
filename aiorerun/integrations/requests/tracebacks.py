"""Tracebacks as texts, made without reading a file: whoever runs an event loop may make them on it."""

from __future__ import annotations

import linecache
import traceback
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

MAX_FRAMES: Final = 64
"""The innermost frames of each exception; recursion makes thousands."""
MAX_EXCEPTIONS: Final = 16
"""Causes, contexts and members of groups, all together."""
MAX_CHARACTERS: Final = 16_384
"""Longer texts lose their middle."""
MAX_SUMMARY: Final = 300
"""Characters of the line that tells type and message."""

_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


class Traceback:
    """What is needed to tell of an exception later, without holding on to its frames.

    :class:`traceback.TracebackException` asks the file system about each source file when it is made.

    Args:
        error: The exception.

    Attributes:
        summary: The last line of the text: type and message, in one line.
    """

    __slots__ = ("_parts", "summary")

    def __init__(self, error: BaseException) -> None:
        self._parts = list(_parts_of(error))
        # Twice the length that is wanted: secrets are masked first, or a cut might go through one.
        self.summary = " ".join(_last_lines(error).split())[: 2 * MAX_SUMMARY]

    @property
    def unread(self) -> list[str]:
        """Source files whose lines are not at hand: ``linecache.getlines`` reads them, in a thread."""
        return sorted(
            {frame[0] for _, frames, _ in self._parts for frame in frames if not _is_known(frame[0])}
        )

    def text(self) -> str:
        """What Python prints, with those source lines that have been read; up to twice the length wanted."""
        pieces: list[str] = []
        for lead, frames, last in self._parts:
            pieces.append(lead)
            if frames:
                pieces.append("Traceback (most recent call last):\n")
                pieces.extend(traceback.StackSummary.from_list(_with_lines(frames)).format())
            pieces.append(last)
        return shortened("".join(pieces), 2 * MAX_CHARACTERS)


def shortened(text: str, length: int) -> str:
    """A text without its middle, if it is longer than that."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}\n  … {len(text) - 2 * half} characters left out …\n{text[-half:]}"


_Frame = tuple[str, int, str]


def _parts_of(error: BaseException) -> Iterator[tuple[str, list[_Frame], str]]:
    """For each exception, the innermost cause first: a line before it, its frames, and its own text."""
    seen: set[int] = set()
    chain: list[tuple[BaseException, str]] = []
    current: BaseException | None = error
    lead = ""
    while current is not None and id(current) not in seen and len(seen) < MAX_EXCEPTIONS:
        seen.add(id(current))
        if current.__cause__ is not None:
            following, lead = current.__cause__, _CAUSE
        elif not current.__suppress_context__ and current.__context__ is not None:
            following, lead = current.__context__, _CONTEXT
        else:
            following, lead = None, ""
        chain.append((current, lead))
        current = following
    # The oldest one comes first, and what joins it to the next stands before that.
    chain[-1] = (chain[-1][0], "")
    for each, before in reversed(chain):
        yield before, _frames(each.__traceback__), _last_lines(each)
        if isinstance(each, BaseExceptionGroup):
            yield from _members(each, seen)


def _members(
    group: BaseExceptionGroup[BaseException], seen: set[int]
) -> Iterator[tuple[str, list[_Frame], str]]:
    for number, member in enumerate(group.exceptions, 1):
        if len(seen) >= MAX_EXCEPTIONS or id(member) in seen:
            return
        seen.add(id(member))
        lead = f"\n--- {number} of {len(group.exceptions)} in {type(group).__name__}\n"
        yield lead, _frames(member.__traceback__), _last_lines(member)
        if isinstance(member, BaseExceptionGroup):
            yield from _members(member, seen)


def _last_lines(error: BaseException) -> str:
    """Type, message and notes."""
    return shortened("".join(traceback.format_exception_only(error)), 2 * MAX_CHARACTERS)


def _frames(trace: TracebackType | None) -> list[_Frame]:
    frames: list[_Frame] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append((code.co_filename, trace.tb_lineno, code.co_qualname))
        trace = trace.tb_next
    return frames[-MAX_FRAMES:]


def _is_known(filename: str) -> bool:
    # Names such as `<string>` are no files.
    return filename in linecache.cache or filename.startswith("<") or filename in _unreadable


_unreadable: set[str] = set()


def read_lines(filenames: Iterable[str]) -> None:
    """Reads source files, so that :meth:`Traceback.text` has their lines. It blocks."""
    for filename in filenames:
        if not linecache.getlines(filename) and len(_unreadable) < 4096:
            _unreadable.add(filename)


def _with_lines(frames: list[_Frame]) -> Iterator[traceback.FrameSummary]:
    for filename, number, name in frames:
        # An empty text keeps the module from looking into the file itself.
        yield traceback.FrameSummary(filename, number, name, lookup_line=False, line=_line(filename, number))


def _line(filename: str, number: int) -> str:
    entry = linecache.cache.get(filename)
    if entry is None or len(entry) != 4:
        return ""
    lines = entry[2]
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
