"""Tables as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str | int]], indent: str = "  ") -> str:
    """Columns side by side; numbers are at the right of theirs, with commas."""
    numeric = [bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(head))]
    cells = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = []
    for row in cells:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        lines.append((indent + "  ".join(aligned)).rstrip())
    return "\n".join(lines) + "\n"


def _text(cell: str | int) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell
