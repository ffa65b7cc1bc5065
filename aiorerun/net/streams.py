"""What grpclib's streams do not say by themselves: that, and why, they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpclib.client
    import grpclib.server

    Stream: TypeAlias = "grpclib.client.Stream[Any, Any] | grpclib.server.Stream[Any, Any]"

_OK: Final = "0"


class StreamBrokenError(ConnectionError):
    """A gRPC stream, or its connection, has ended before everything was written or read.

    Attributes:
        status: The number of the gRPC status that the peer gave, ``None`` if it gave none.
        message: What the peer said about it.
    """

    def __init__(self, reason: str, status: int | None = None, message: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.message = message


class Watch:
    """Stands in for the object by which grpclib tells a stream that it was terminated.

    grpclib cancels the tasks that wait inside of it; this one wakes those who ask to be woken, so that
    cancelling keeps meaning what it means elsewhere.

    Args:
        inner: The HTTP/2 stream of grpclib.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._before = inner.wrapper
        self._on_end: list[Callable[[], None]] = []
        self.error: Exception | None = None
        inner.wrapper = self
        # The peer may also end a call that it does not reset.
        self._ended = inner.__ended__
        inner.__ended__ = self._end

    @classmethod
    def of(cls, inner: Any) -> Watch:
        """The watch of a stream, made if it has none yet."""
        return inner.wrapper if isinstance(inner.wrapper, Watch) else cls(inner)

    def add(self, callback: Callable[[], None]) -> None:
        """Calls a function as soon as the peer ends the stream, or it is terminated."""
        self._on_end.append(callback)
        if self.error is not None:
            callback()

    def cancel(self, error: Exception) -> None:
        """What grpclib calls when the stream was reset or the connection is gone."""
        # The first reason tells most; later ones say that the connection is gone.
        self.error = self.error or error
        connection = self._inner.connection
        if connection.is_closing():
            # Nobody else tells those who wait for room in the buffer of the transport.
            connection.write_ready.set()
        self._wake()
        if self._before is not None:
            self._before.cancel(error)

    def _end(self) -> None:
        self._ended()
        self._wake()

    def _wake(self) -> None:
        self._inner.window_updated.set()
        for callback in self._on_end:
            callback()

    def __enter__(self) -> None:
        if self._before is not None:
            self._before.__enter__()

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            self._before.__exit__(*exception)

    def broken(self) -> StreamBrokenError:
        """The error for those who still want to use the stream."""
        status, message = answer_of(self._inner)
        if status is not None:
            said = f": {message}" if message else ""
            return StreamBrokenError(
                f"the peer ended the call with gRPC status {status}{said}", status, message
            )
        return StreamBrokenError(str(self.error) if self.error is not None else "the connection is closed")


def answer_of(inner: Any) -> tuple[int | None, str | None]:
    """Status and message of an HTTP/2 stream whose call the server has ended, as far as they are there."""
    from grpclib.metadata import decode_grpc_message

    for headers in (inner.trailers, inner.headers):
        found = dict(headers or ())
        status = found.get("grpc-status")
        if status is not None:
            message = found.get("grpc-message")
            number = int(status) if status.isdigit() and len(status) <= len("100") else None
            return number, None if message is None else decode_grpc_message(message)
    return None, None


def inner_stream(stream: Any) -> Any:
    """The HTTP/2 stream of a call; ``None`` if it has none yet or grpclib has changed."""
    return getattr(stream, "_stream", None)


def is_client(stream: Any) -> bool:
    """Whether this is the calling side."""
    return hasattr(stream, "send_request")


async def start(stream: Any) -> None:
    """Sends what comes before the messages, unless that was done: the request, or the initial metadata.

    Cancelling leaves it unsent.
    """
    if is_client(stream):
        if not stream._send_request_done:
            await stream.send_request()
    elif not stream._send_initial_metadata_done:
        await stream.send_initial_metadata()
