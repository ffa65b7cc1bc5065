"""Functions that run inside a recording of their own."""

from __future__ import annotations

import functools
import inspect
import uuid
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiorerun.context import ActiveRecordings, isolate_generator
from aiorerun.stream_base import BaseRecordingStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

StreamT = TypeVar("StreamT", bound=BaseRecordingStream)


class OwnStream(Generic[StreamT]):
    """Decorates functions of each kind so that each call has a fresh recording, with a random id.

    Args:
        active: The active recordings of the API.
        make: Makes a recording of an application id and a recording id.
        close: Flushes and closes it, from plain code.
        aclose: Flushes and closes it, from a coroutine.
    """

    def __init__(
        self,
        active: ActiveRecordings[StreamT],
        make: Callable[..., StreamT],
        close: Callable[[StreamT], None],
        aclose: Callable[[StreamT], Awaitable[None]],
    ) -> None:
        self._active = active
        self._make = make
        self._close = close
        self._aclose = aclose

    def decorate(self, application_id: str, func: Callable[..., Any]) -> Callable[..., Any]:
        """The decorated function, of the same kind."""

        def make() -> StreamT:
            return self._make(application_id, recording_id=uuid.uuid4().hex)

        if inspect.isasyncgenfunction(func):
            return isolate_generator(self._active, self._async_generator(make, func))
        if inspect.isgeneratorfunction(func):
            return isolate_generator(self._active, self._generator(make, func))
        if inspect.iscoroutinefunction(func):
            return self._coroutine(make, func)
        return self._plain(make, func)

    def _plain(self, make: Callable[[], StreamT], func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def run(*args: Any, **kwargs: Any) -> Any:
            stream = make()
            self._active.enter(stream)
            try:
                return func(*args, **kwargs)
            finally:
                self._active.leave(stream)
                self._close(stream)

        return run

    def _coroutine(self, make: Callable[[], StreamT], func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        async def run(*args: Any, **kwargs: Any) -> Any:
            stream = make()
            self._active.enter(stream)
            try:
                return await func(*args, **kwargs)
            finally:
                self._active.leave(stream)
                await self._aclose(stream)

        return run

    def _generator(self, make: Callable[[], StreamT], func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            stream = make()
            self._active.enter(stream)
            try:
                return (yield from func(*args, **kwargs))
            finally:
                self._active.leave(stream)
                self._close(stream)

        return run

    def _async_generator(self, make: Callable[[], StreamT], func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            stream = make()
            self._active.enter(stream)
            generator = func(*args, **kwargs)
            try:
                value = await generator.asend(None)
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        value = await generator.athrow(error)
                    else:
                        value = await generator.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                try:
                    await generator.aclose()
                finally:
                    self._active.leave(stream)
                    await self._aclose(stream)

        return run
