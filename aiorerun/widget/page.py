"""A page for the output of a cell that holds a whole recording, and shows it in a viewer from the web."""

from __future__ import annotations

import html
import uuid
from typing import Final
from urllib.parse import urlsplit

from aiorerun.widget.base import checked_pixels

DEFAULT_WIDTH: Final = 950
DEFAULT_HEIGHT: Final = 712
DEFAULT_TIMEOUT: Final = 2000
"""Milliseconds that the viewer may take to load before the page says so."""

APP_URL: Final = "https://app.rerun.io"
"""The public page of the viewer."""

_QUERY: Final = "url=web_event://&persist=0&notebook=1"
"""Has the viewer ask the page around it for the recording, and keep nothing."""

# What comes from outside is in attributes, where it is escaped; the script only knows the random name of the
# elements. The recording goes to the viewer's own origin: whatever else the frame shows does not get it.
_PAGE: Final = """\
<div id="{name}">
<p class="trouble" style="display: none">The viewer at {shown_url} did not load in time.
<code>rr.start_web_viewer_server()</code> serves it from this machine.</p>
<div class="recording" style="display: none" data-rrd="{data}"></div>
<iframe src="{source}" width="{width}" height="{height}" frameborder="0" allowfullscreen="" \
style="display: none"></iframe>
<script>
(() => {{
  const box = document.getElementById("{name}");
  const [trouble, recording, frame] = box.children;
  const origin = new URL(frame.src).origin;
  const timer = setTimeout(() => {{ trouble.style.display = "block"; }}, {timeout_ms});
  addEventListener("message", function onMessage(event) {{
    if (event.source !== frame.contentWindow || event.origin !== origin) return;
    removeEventListener("message", onMessage);
    clearTimeout(timer);
    trouble.style.display = "none";
    frame.style.display = "inline";
    const text = atob(recording.dataset.rrd);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    frame.contentWindow.postMessage(bytes, origin);
  }});
}})();
</script>
</div>
"""


def checked_options(width: int, height: int, app_url: str, timeout_ms: int) -> None:
    """Checks what goes into a page.

    Raises:
        TypeError: Something is of the wrong type.
        ValueError: A number is out of range, or the URL is none of the web.
    """
    checked_pixels("legacy_notebook_show: width", width)
    checked_pixels("legacy_notebook_show: height", height)
    if isinstance(timeout_ms, bool) or not isinstance(timeout_ms, int):
        raise TypeError(f"legacy_notebook_show: timeout_ms must be an int, got {timeout_ms!r}")
    if not 0 <= timeout_ms < 1 << 31:
        raise ValueError(f"legacy_notebook_show: timeout_ms={timeout_ms}: pass milliseconds from 0")
    if not isinstance(app_url, str):
        raise TypeError(f"legacy_notebook_show: app_url must be a str, got {type(app_url).__name__}")
    try:
        parts = urlsplit(app_url)
        is_page = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
    except ValueError:
        is_page = False
    if not is_page:
        raise ValueError(
            f"legacy_notebook_show: app_url={app_url!r}: pass the http or https URL of a viewer's page"
        )


def render_page(data: str, *, width: int, height: int, app_url: str, timeout_ms: int) -> str:
    """The HTML of the page.

    Args:
        data: The recording, an RRD stream in base64.
        width: Of the viewer, in pixels.
        height: Of the viewer, in pixels.
        app_url: The page of the viewer.
        timeout_ms: Milliseconds after which the page says that the viewer did not load.

    Raises:
        TypeError, ValueError: See :func:`checked_options`.
    """
    checked_options(width, height, app_url, timeout_ms)
    source = f"{app_url}{'&' if '?' in app_url else '?'}{_QUERY}"
    return _PAGE.format(
        # Several pages fit in one notebook.
        name=f"rerun_{uuid.uuid4().hex}",
        data=html.escape(data),
        source=html.escape(source),
        shown_url=html.escape(app_url),
        width=width,
        height=height,
        timeout_ms=timeout_ms,
    )
