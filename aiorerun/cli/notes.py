"""Notes about files, as lines on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.cli.running import complain

if TYPE_CHECKING:
    from aiorerun.files.reading import Note

_MAX_SHOWN: Final = 20


class Notes:
    """Prints the first notes, and says at the end how many more there were.

    Args:
        name: The command.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.count = 0

    def __call__(self, note: Note) -> None:
        """Is told a note."""
        self.count += 1
        if self.count <= _MAX_SHOWN:
            complain(self._name, note)

    def finish(self) -> None:
        """Says how many were not shown."""
        if self.count > _MAX_SHOWN:
            complain(self._name, f"and {self.count - _MAX_SHOWN} more like these")
