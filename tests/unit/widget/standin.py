"""A stand-in for Rerun's widget: it keeps what it is sent, and tells what it is told to tell."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiorerun.widget import loading

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class StandInWidget:
    """Has of the widget what is used of it.

    Attributes:
        options: What it was made with.
        sent: What went to the browser: the content as JSON, and the buffers.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.sent: list[tuple[str, list[bytes]]] = []
        self._panel_states: dict[str, str] | None = None
        self._handlers: list[Callable[[Any, Any, list[bytes]], None]] = []

    def send(self, content: Any, buffers: list[bytes] | None = None) -> None:
        self.sent.append((json.dumps(content), list(buffers or [])))

    def on_msg(self, handler: Callable[[Any, Any, list[bytes]], None]) -> None:
        self._handlers.append(handler)

    def tell(self, content: Any) -> None:
        """What comes from the browser."""
        for handler in self._handlers:
            handler(self, content, [])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return {"text/plain": "widget", "application/vnd.jupyter.widget-view+json": {"model_id": "x"}}, {}

    @property
    def texts(self) -> list[str]:
        """The contents of the messages, without those of recordings."""
        return [text for text, _ in self.sent if text != '{"type": "rrd"}']

    @property
    def recordings(self) -> list[bytes]:
        """The buffers of those of recordings."""
        return [buffers[0] for text, buffers in self.sent if text == '{"type": "rrd"}']


class StandIns:
    """The widgets that were made.

    Attributes:
        made: In order.
        shown: Those that were displayed, in order.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[StandInWidget] = []
        self.shown: list[StandInWidget] = []
        patch.setattr(loading, "load", lambda: SimpleNamespace(Viewer=self._make))
        patch.setattr(loading, "is_loaded", lambda: True)
        patch.setattr(loading, "display", self.shown.append)

    def _make(self, **options: Any) -> StandInWidget:
        self.made.append(StandInWidget(**options))
        return self.made[-1]

    @property
    def last(self) -> StandInWidget:
        """The newest."""
        return self.made[-1]
