"""What decoding raises."""

from __future__ import annotations


class RrdError(ValueError):
    """The data is not what an RRD stream may hold."""
