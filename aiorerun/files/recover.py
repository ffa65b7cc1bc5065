"""Making a complete file of one that was cut off or damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.files.output import RrdOutput
from aiorerun.files.passing import Passing
from aiorerun.files.progress import ignore
from aiorerun.files.salvage import Damage, Salvage, StreamEnd
from aiorerun.recording.source import open_source

if TYPE_CHECKING:
    import os

    from aiorerun.files.progress import OnProgress

_MAX_LISTED: Final = 1000
"""More stretches than this are counted, not listed."""


@dataclass
class Recovered:
    """What became of a file.

    Attributes:
        messages: Messages that were kept, announcements included.
        chunks: Chunks that were kept.
        rows: Their rows.
        dropped: The stretches that hold no complete message, the first thousand of them.
        num_dropped: How many stretches there are.
        dropped_bytes: Their bytes.
        was_complete: Whether the file ended as it should.
        has_footer: Whether the new file has a footer; not if there are too many chunks for one.
    """

    messages: int = 0
    chunks: int = 0
    rows: int = 0
    dropped: list[Damage] = field(default_factory=list)
    num_dropped: int = 0
    dropped_bytes: int = 0
    was_complete: bool = False
    has_footer: bool = True

    def drop(self, damage: Damage) -> None:
        """Notes what is left out."""
        self.num_dropped += 1
        self.dropped_bytes += damage.nbytes
        if len(self.dropped) < _MAX_LISTED:
            self.dropped.append(damage)


def recover(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    force: bool = False,
    on_progress: OnProgress = ignore,
) -> Recovered:
    """Writes every complete message of a file into a new one that ends as it should, with a footer.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        output: The new file, or ``-`` for the standard output.
        force: Whether a file that exists is replaced, which may be the same one.
        on_progress: Is told how far it is.

    Raises:
        RrdError: It is no RRD file, and there is no message of one in it.
        OSError: The file cannot be read, or the new one not be written; then it does not appear.
    """
    outcome = Recovered()
    source = open_source(path)
    try:
        # Contents are checked too: what cannot be read later is not worth keeping.
        salvage = Salvage(source, Passing(validate=True).message, on_progress)
        with RrdOutput(output, force=force) as writer:
            for found in salvage:
                if isinstance(found, Damage):
                    outcome.drop(found)
                elif not isinstance(found, StreamEnd):
                    message = found.made
                    assert message is not None
                    writer.write(message)
                    outcome.messages += 1
                    outcome.rows += message.rows
                    outcome.chunks += found.kind is MessageKind.ARROW_MSG
            if not outcome.messages and not salvage.num_streams:
                raise RrdError(f"{source.name} is no RRD file, and holds no message of one")
            outcome.was_complete = salvage.has_ended
            outcome.has_footer = writer.has_footer
        return outcome
    finally:
        source.close()
