"""How much the server takes and keeps unless it is told otherwise."""

from __future__ import annotations

from typing import Final

READER_BYTES: Final = 64 << 20
"""A reader may be so far behind, besides what the replay buffer holds anyway."""

STALL_SECS: Final = 2.0
"""Writers wait no longer than this for a reader that does not move on."""

MAX_MESSAGE_BYTES: Final = (1 << 31) - 1
"""The longest message, which is the longest that all peers take."""

MAX_CONNECTIONS: Final = 1024
"""More connections than this are refused at once."""
