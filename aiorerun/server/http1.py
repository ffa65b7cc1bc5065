"""One HTTP/1.1 connection, without the network: what comes in, and the bytes of what goes out.

The grammar is h11's; here is what this server needs of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import h11

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiorerun.codec.chunk_template import Segment

MAX_HEAD_BYTES: Final = 16 << 10
"""The longest head of a request, as with HTTP/2."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request.

    Attributes:
        method: In capitals.
        path: Without query.
        headers: By their names in lower case; the last one counts where there are several.
    """

    method: str
    path: str
    headers: dict[str, str]


class BadRequest(Exception):
    """What came is no request of HTTP/1.1.

    Attributes:
        status: The HTTP status that it is answered with.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Http1:
    """The server's side of a connection."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    def receive(self, data: bytes) -> None:
        """Takes bytes; none at all for the end."""
        try:
            self._h11.receive_data(data)
        except RuntimeError as error:
            raise BadRequest(400, "there are bytes after the end") from error

    def next_request(self) -> Request | None:
        """The head of a request, if it is complete.

        Raises:
            BadRequest: There is none.
            EOFError: The connection ended, as it may.
        """
        event = self._next_event()
        if event is None:
            return None
        if isinstance(event, h11.Request):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            path = event.target.decode("latin-1").partition("?")[0]
            return Request(event.method.decode("latin-1"), path, headers)
        raise EOFError

    def next_data(self) -> bytes | None:
        """The next piece of the body, if there is one; empty bytes at its end.

        Raises:
            BadRequest: The body is damaged.
            EOFError: The connection ended inside the body.
        """
        event = self._next_event()
        if event is None:
            return None
        if isinstance(event, h11.Data):
            # It hands on what it was given, which may be a bytearray of its own.
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return b""
        raise EOFError

    def _next_event(self) -> Any:
        try:
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            if "peer unexpectedly closed" in str(error) or "peer closed connection" in str(error):
                raise EOFError from None
            raise BadRequest(error.error_status_hint, str(error)) from None
        return None if event is h11.NEED_DATA or event is h11.PAUSED else event

    @property
    def wants_continue(self) -> bool:
        """Whether the peer waits for a word before it sends the body."""
        return bool(self._h11.they_are_waiting_for_100_continue)

    @property
    def can_answer(self) -> bool:
        """Whether a request waits for its answer."""
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def is_body_read(self) -> bool:
        """Whether nothing of the request is left to read."""
        return self._h11.their_state is not h11.SEND_BODY

    def go_on(self) -> bytes:
        """Asks for the body."""
        return self._send(h11.InformationalResponse(status_code=100, headers=[]))

    def head(self, status: int, headers: Iterable[tuple[str, str]], *, will_close: bool = False) -> bytes:
        """The head of an answer. Without a length it is sent in chunks."""
        all_headers = [*headers, ("date", formatdate(usegmt=True))]
        if will_close:
            all_headers.append(("connection", "close"))
        return self._send(h11.Response(status_code=status, headers=all_headers))

    def chunk(self, segments: Sequence[Segment], nbytes: int) -> list[Segment]:
        """A piece of the body, which is not copied."""
        size: Any = _Sized(nbytes)
        pieces: list[Any] | None = self._h11.send_with_data_passthrough(h11.Data(data=size))
        assert pieces is not None
        parts: list[Segment] = []
        for piece in pieces:
            if piece is size:
                parts.extend(segments)
            else:
                parts.append(piece)
        return parts

    def end(self) -> bytes:
        """The end of the answer."""
        return self._send(h11.EndOfMessage())

    def next_cycle(self) -> bool:
        """Gets ready for another request; ``False`` if there can be none."""
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            return True
        return False

    def _send(self, event: Any) -> bytes:
        return bytes(self._h11.send(event) or b"")


class _Sized:
    """Stands for a piece of the body, of which h11 only asks how long it is."""

    __slots__ = ("_nbytes",)

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes

    def __len__(self) -> int:
        return self._nbytes
