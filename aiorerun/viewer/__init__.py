"""The official viewers: find, start and drive the native one, and serve the page of the one for browsers."""

from __future__ import annotations
