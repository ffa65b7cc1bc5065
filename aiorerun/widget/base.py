"""What the viewers of both APIs have in common: the widget, and the messages that it is sent."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aiorerun.sinks.memory import encode_stream
from aiorerun.types.store import normalize_application_id
from aiorerun.types.time import duration_nanos, sequence_value, timestamp_nanos
from aiorerun.widget import loading
from aiorerun.widget.events import parse_event
from aiorerun.widget.outbox import Outbox
from aiorerun.widget.sink import RRD, NotebookSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.types.time import DurationLike, SequenceLike, TimestampLike
    from aiorerun.widget.events import ViewerEvent

Size: TypeAlias = int | Literal["auto"]
"""A number of pixels, or as much as there is."""
PanelState: TypeAlias = Literal["expanded", "collapsed", "hidden"]
"""How much of a panel is seen."""
Theme: TypeAlias = Literal["dark", "light", "system"]
"""The colours of the viewer."""

DEFAULT_WIDTH: Final = 640
DEFAULT_HEIGHT: Final = 480
READY_SECS: Final = 10.0
"""How long a viewer is waited for."""

_PANEL_STATES: Final = ("expanded", "collapsed", "hidden", "default")
_THEMES: Final = ("dark", "light", "system")

logger = logging.getLogger("aiorerun")


class _DefaultSize:
    width: int = DEFAULT_WIDTH
    height: int = DEFAULT_HEIGHT


def set_default_size(*, width: int | None, height: int | None) -> None:
    """Sets the size of viewers that are made from now on and name none.

    Args:
        width: In pixels; ``None`` keeps what holds.
        height: In pixels; ``None`` keeps what holds.

    Raises:
        TypeError, ValueError: It is no number of pixels.
    """
    if width is not None:
        width = checked_pixels("set_default_size: width", width)
    if height is not None:
        height = checked_pixels("set_default_size: height", height)
    _DefaultSize.width = _DefaultSize.width if width is None else width
    _DefaultSize.height = _DefaultSize.height if height is None else height


def checked_pixels(argument: str, value: object) -> int:
    """A number of pixels.

    Raises:
        TypeError, ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be a number of pixels, got {value!r}")
    if not 0 < value < 1 << 31:
        raise ValueError(f"{argument}={value}: pass a positive number of pixels")
    return value


class BaseViewer:
    """What the viewers of both APIs have in common; see :class:`aiorerun.notebook.Viewer`.

    Args:
        width: In pixels, or ``"auto"``.
        height: In pixels, or ``"auto"``.
        url: What the viewer opens at its start.
        theme: Its colours.
    """

    def __init__(self, width: Size | None, height: Size | None, url: str | None, theme: Theme | None) -> None:
        if theme is not None and theme not in _THEMES:
            raise ValueError(f"theme={theme!r}: pass one of {', '.join(map(repr, _THEMES))}")
        self._widget: Any = loading.load().Viewer(
            width=_size("width", width, _DefaultSize.width),
            height=_size("height", height, _DefaultSize.height),
            url=url,
            fallback_token=os.environ.get("REDAP_TOKEN"),
            theme=theme,
        )
        self._outbox = Outbox(self._widget.send)
        self._callbacks: list[Callable[[ViewerEvent], object]] = []
        # The widget's own handler was there first, so it knows that it is ready when ours does.
        self._widget.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'ready' if self.is_ready else 'not ready'})"

    @property
    def is_ready(self) -> bool:
        """Whether the viewer in the browser has told that it takes data; what comes before that waits."""
        return self._outbox.is_open

    @property
    def sink(self) -> NotebookSink:
        """A new sink that leads to this viewer, for ``set_sinks`` beside others.

        ``rec.set_sinks(rr.FileSink("run.rrd"), viewer.sink)`` writes a file, too.
        """
        return NotebookSink(self._outbox)

    def _on_message(self, widget: object, content: object, buffers: Sequence[Any]) -> None:
        if content == "ready":
            self._outbox.open()
        elif isinstance(content, str) and self._callbacks:
            event = parse_event(content)
            if event is not None:
                self._tell_all(event)

    def _tell_all(self, event: ViewerEvent) -> None:
        for callback in list(self._callbacks):
            self._tell(callback, event)

    def _tell(self, callback: Callable[[ViewerEvent], object], event: ViewerEvent) -> object:
        """Calls a callback; what it raises is logged."""
        try:
            return callback(event)
        except Exception:
            logger.exception("a callback for events of the viewer has failed: %r", callback)
            return None

    def _post(self, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Sends a message behind everything that was sent before."""
        self._outbox.post(content, buffers)

    def _blueprint_bytes(
        self, application_id: str, blueprint: object, make_active: bool, make_default: bool
    ) -> Callable[[], bytes]:
        """What makes the bytes of a blueprint as it is now; that takes a while, so it is for a thread."""
        from aiorerun.blueprint_sending import capture

        job = capture(
            "set_application_blueprint",
            blueprint,
            normalize_application_id(application_id),
            make_active=make_active,
            make_default=make_default,
        )
        return lambda: encode_stream(job())

    def _table_encoder(self, name: str, table: object) -> Callable[[], bytes]:
        """What makes the bytes of a table; that may take long, so it is for a thread."""
        from aiorerun.widget.tables import encode_table

        return partial(encode_table, _text("id", name), table)

    def _post_table(self, data: bytes) -> None:
        self._outbox.post({"type": "table"}, [data])

    def _post_rrd(self, data: bytes) -> None:
        self._outbox.post(RRD, [data])

    # --- control -------------------------------------------------------------------------------

    def update_panels(
        self,
        *,
        top: PanelState | Literal["default"] | None = None,
        blueprint: PanelState | Literal["default"] | None = None,
        selection: PanelState | Literal["default"] | None = None,
        time: PanelState | Literal["default"] | None = None,
    ) -> None:
        """Shows, folds or hides panels of the viewer; the user cannot change those that are set.

        Each is ``"expanded"``, ``"collapsed"`` (what cannot be is hidden), ``"hidden"``, ``"default"``, which
        leaves it to the viewer and its user again, or ``None``, which changes nothing.

        Args:
            top: The bar above everything.
            blueprint: The panel at the left.
            selection: The panel at the right.
            time: The panel at the bottom.

        Raises:
            ValueError: There is no such state.
        """
        states = dict(self._widget._panel_states or {})
        given = {"top": top, "blueprint": blueprint, "selection": selection, "time": time}
        for panel, state in given.items():
            if state is None:
                continue
            if state not in _PANEL_STATES:
                known = ", ".join(map(repr, _PANEL_STATES))
                raise ValueError(f"update_panels: {panel}={state!r}: pass one of {known}")
            if state == "default":
                states.pop(panel, None)
            else:
                states[panel] = state
        # The widget notices another value only, not that one has changed.
        self._widget._panel_states = states

    def set_active_recording(self, *, recording_id: str) -> None:
        """Shows another of the recordings that the viewer has.

        Args:
            recording_id: Its id. One that the viewer does not have changes nothing.
        """
        self._post({"type": "recording_id", "recording_id": _text("recording_id", recording_id)})

    def open_url(self, url: str) -> None:
        """Opens something in the viewer, as its own menu does.

        Args:
            url: An ``.rrd`` file of a web server, or a server as :func:`aiorerun.serve_grpc` gives it.
        """
        self._post({"type": "open_url", "url": _text("url", url)})

    def close_url(self, url: str) -> None:
        """Closes what :meth:`open_url` opened; nothing if that is not open.

        Args:
            url: As it was opened.
        """
        self._post({"type": "close_url", "url": _text("url", url)})

    def set_time_ctrl(
        self,
        *,
        sequence: SequenceLike | None = None,
        duration: DurationLike | None = None,
        timestamp: TimestampLike | None = None,
        timeline: str | None = None,
        play: bool = False,
    ) -> None:
        """Moves the viewer's time cursor, on this timeline or another, and plays or pauses.

        Args:
            sequence: Where, on a timeline that counts.
            duration: Where, on a timeline of durations: seconds, or a ``timedelta`` of any precision.
            timestamp: Where, on a timeline of times: seconds since the epoch, or a ``datetime``.
            timeline: The timeline; by default the one that is shown.
            play: Whether to play from there; otherwise the viewer pauses.

        Raises:
            ValueError: More than one of the three times was given.
            TypeError, OverflowError: A value is of the wrong type or too large.
        """
        if (sequence is not None) + (duration is not None) + (timestamp is not None) > 1:
            raise ValueError(
                f"set_time_ctrl: pass at most one of sequence, duration and timestamp (timeline={timeline!r})"
            )
        # As texts: the numbers of JavaScript have 53 bits.
        self._post(
            {
                "type": "time_ctrl",
                "timeline": None if timeline is None else _text("timeline", timeline),
                "sequence": None if sequence is None else str(sequence_value(sequence)),
                "duration_nanos": None if duration is None else str(duration_nanos(duration)),
                "timestamp_nanos": None if timestamp is None else str(timestamp_nanos(timestamp)),
                "play": bool(play),
            }
        )

    def set_credentials(self, access_token: str, email: str) -> None:
        """Gives the viewer what it shows to servers that ask who is there.

        Args:
            access_token: The token.
            email: Whose it is.
        """
        content = {"type": "set_credentials", "access_token": _text("access_token", access_token)}
        self._post({**content, "email": _text("email", email)})

    # --- display -------------------------------------------------------------------------------

    def _display_(self) -> Any:
        """What marimo shows at the end of a cell."""
        return self._widget

    def _show(self) -> None:
        loading.display(self._widget)

    def _ipython_display_(self) -> None:
        """What Jupyter does at the end of a cell."""
        self._show()

    def _mime_bundle(self) -> Any:
        """The widget as Jupyter's front ends know it."""
        return self._widget._repr_mimebundle_()


def warn_not_ready() -> None:
    """Tells that a viewer did not come up in time."""
    logger.warning(
        "the viewer was not ready within %s s: what is logged waits for it. Is the notebook open in a "
        "browser, and can that load the widget from where RERUN_NOTEBOOK_ASSET says?",
        READY_SECS,
    )


def _size(argument: str, given: object, default: int) -> Any:
    if given is None:
        return default
    return given if given == "auto" else checked_pixels(argument, given)


def _text(argument: str, value: object) -> str:
    # A token must not get into a message, so the value is not shown.
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, got {type(value).__name__}")
    return value
