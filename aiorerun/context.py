"""What holds for the running task: the active recording and the current times.

Both live in context variables: a new task inherits a copy and changes stay in it, a new thread starts
with the global recording and no times. The number of context variables is fixed, however many
recordings there are: the times are one immutable value, keyed by the slot of the store they belong to.
"""

from __future__ import annotations

import functools
import heapq
import inspect
import itertools
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from aiorerun.types import sparse
from aiorerun.types.timepoint import NO_TIMES, Timepoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from aiorerun.types.store import StoreId
    from aiorerun.types.timeline import TimelineKind

RecordingT = TypeVar("RecordingT")

# Token of the store used last, its times, and the times of all other stores by slot.
_State = tuple[int, Timepoint, sparse.SparseArray, int]
_NO_STATE: Final[_State] = (0, NO_TIMES, sparse.EMPTY, 0)

_times: ContextVar[_State] = ContextVar("aiorerun_times", default=_NO_STATE)

scopes: Final[ContextVar[Any]] = ContextVar("aiorerun_scopes", default=None)
"""The time scopes that were entered, as an immutable linked list, innermost first."""


# The range of a 64-bit number, without its least value, which is reserved.
_MIN: Final = -(1 << 63)
_MAX: Final = 1 << 63


class _Slots:
    """Hands out the lowest free slot, so that the times of closed stores are overwritten soon."""

    lock = Lock()
    free: ClassVar[list[int]] = []
    next_new = 0
    tokens = itertools.count(1)


def after_fork_in_child() -> None:
    """Makes the lock anew: a thread of the parent may have held it."""
    _Slots.lock = Lock()


class StoreTimes:
    """The times of one store id, shared by all streams of it, different in every context.

    When the last stream of a store id is gone its times are forgotten: a later store never sees them,
    because tokens are never used twice.
    """

    __slots__ = ("__weakref__", "_slot", "_token", "kinds", "mixed")

    _known: ClassVar[WeakValueDictionary[StoreId, StoreTimes]] = WeakValueDictionary()

    def __init__(self) -> None:
        with _Slots.lock:
            if _Slots.free:
                self._slot = heapq.heappop(_Slots.free)
            else:
                self._slot = _Slots.next_new
                _Slots.next_new += 1
            self._token = next(_Slots.tokens)
        self.kinds: dict[str, TimelineKind] = {}
        """The kind under which each timeline was first used; it should not change."""
        self.mixed: set[str] = set()
        """Timelines of which it was reported that it did."""

    def __del__(self) -> None:
        # No lock: a finaliser may run inside the locked block above. heappush is one C call.
        heapq.heappush(_Slots.free, self._slot)

    @classmethod
    def of(cls, store: StoreId) -> StoreTimes:
        """The times of a store id."""
        found = cls._known.get(store)
        if found is None:
            found = cls._known.setdefault(store, cls())
        return found

    def get(self) -> Timepoint:
        """The current times in this context."""
        state = _times.get()
        if state[0] == self._token:
            return state[1]
        entry = sparse.get(state[2], self._slot)
        if entry is not None and entry[0] == self._token:
            return entry[1]  # type: ignore[no-any-return]
        return NO_TIMES

    def advance(self, timeline: str, value: int) -> bool:
        """Sets a sequence the quick way, if it is the only timeline and the store was used last.

        Returns:
            Whether it did; otherwise the caller goes the long way.
        """
        state = _times.get()
        if state[0] != self._token:
            return False
        timelines = state[1][0]
        if timelines.only_sequence != timeline or not _MIN < value < _MAX:
            return False
        _times.set((state[0], (timelines, (value,)), state[2], state[3]))
        return True

    def set(self, timepoint: Timepoint) -> None:
        """Replaces the current times in this context."""
        token, former, others, slot = _times.get()
        if token != self._token and token:
            # The store used last moves to the others; costs the same for any number of stores.
            others = sparse.put(others, slot, (token, former))
        _times.set((self._token, timepoint, others, self._slot))


class ActiveRecordings(Generic[RecordingT]):
    """The active recording of one face of the API: context-local first, then global.

    Args:
        name: Name of the context variable.
    """

    __slots__ = ("_global", "_local")

    def __init__(self, name: str) -> None:
        # A linked list, innermost first: immutable, so contexts that inherit it never disturb each other.
        # Of each scope the recording that is active in it, the scopes around it, and whose scope it is:
        # `None` outside of all scopes.
        self._local: ContextVar[Any] = ContextVar(name, default=None)
        self._global: RecordingT | None = None

    def get(self) -> RecordingT | None:
        """The recording that calls without ``recording=`` go to."""
        node = self._local.get()
        return self._global if node is None or node[0] is None else node[0]

    def get_local(self) -> RecordingT | None:
        """The recording of this context."""
        node = self._local.get()
        return None if node is None else node[0]

    def set_local(self, recording: RecordingT | None) -> RecordingT | None:
        """Replaces the recording of this context; returns the former one."""
        former = self.get_local()
        node = self._local.get()
        if node is None or node[2] is None:
            self._local.set(None if recording is None else (recording, None, None))
        else:
            # Leaving the scope undoes that, too.
            self._local.set((recording, node[1], node[2]))
        return former

    def get_global(self) -> RecordingT | None:
        """The recording of all contexts that have none of their own."""
        return self._global

    def set_global(self, recording: RecordingT | None) -> RecordingT | None:
        """Replaces the global recording; returns the former one."""
        former = self._global
        self._global = recording
        return former

    def enter(self, recording: RecordingT) -> None:
        """Makes a recording the innermost active one of this context."""
        self._local.set((recording, self._local.get(), recording))

    def leave(self, recording: RecordingT) -> None:
        """Undoes the latest ``enter`` of a recording in this context.

        Where there was none (another task, a closing generator) nothing happens; out of order, the
        others stay as they are. Never raises.
        """
        passed: list[Any] = []
        node = self._local.get()
        while node is not None and node[2] is not recording:
            passed.append(node)
            node = node[1]
        if node is None:
            return
        rest = node[1]
        for other in reversed(passed):
            rest = (other[0], rest, other[2])
        self._local.set(rest)

    def swap(self, node: Any) -> Any:
        """Exchanges everything this context holds, for generators that are put aside."""
        former = self._local.get()
        self._local.set(node)
        return former


class _Suspended(Generic[RecordingT]):
    """The context values of a generator while it is not running."""

    __slots__ = ("_active", "_node", "_scopes", "_state")

    def __init__(self, active: ActiveRecordings[RecordingT]) -> None:
        self._active = active
        self._node = active.swap(None)
        active.swap(self._node)
        self._state = _times.get()
        self._scopes = scopes.get()

    def swap(self) -> None:
        """Exchanges the values of the context with the stored ones."""
        self._node = self._active.swap(self._node)
        state = _times.get()
        _times.set(self._state)
        self._state = state
        entered = scopes.get()
        scopes.set(self._scopes)
        self._scopes = entered


def isolate_generator(active: ActiveRecordings[Any], func: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a generator function so that recordings and times it sets are its own.

    They are put aside at each ``yield`` and put back when it goes on, so the consumer never sees them
    and two interleaved generators never mix.

    Raises:
        ValueError: ``func`` is neither a generator function nor an async one.
    """
    if inspect.isasyncgenfunction(func):
        return _wrap_async_generator(active, func)
    if inspect.isgeneratorfunction(func):
        return _wrap_generator(active, func)
    raise ValueError(
        f"recording_stream_generator_ctx: {func!r} is not a generator function; "
        "plain functions and coroutines need no decorator"
    )


def _wrap_async_generator(active: ActiveRecordings[Any], func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = _IsolatedAsync(active, func(*args, **kwargs))
        try:
            value = await generator.step("asend", None)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:
                    value = await generator.step("athrow", error)
                else:
                    value = await generator.step("asend", sent)
        except StopAsyncIteration:
            return
        finally:
            await generator.step("aclose")

    return run


def _wrap_generator(active: ActiveRecordings[Any], func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = _Isolated(active, func(*args, **kwargs))
        try:
            value = generator.step("send", None)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:
                    value = generator.step("throw", error)
                else:
                    value = generator.step("send", sent)
        except StopIteration as stop:
            return stop.value
        finally:
            generator.step("close")

    return run


class _Isolated:
    """Runs the steps of a generator with its own context values in place."""

    __slots__ = ("_generator", "_values")

    def __init__(self, active: ActiveRecordings[Any], generator: Generator[Any, Any, Any]) -> None:
        self._generator = generator
        self._values = _Suspended(active)

    def step(self, method: str, *args: Any) -> Any:
        """One ``send``, ``throw`` or ``close``."""
        self._values.swap()
        try:
            return getattr(self._generator, method)(*args)
        finally:
            self._values.swap()


class _IsolatedAsync:
    """Runs the steps of an async generator with its own context values in place.

    A step may suspend in the middle; the values are swapped around each of its inner steps, so that
    what the event loop runs meanwhile, in the same context, does not see them.
    """

    __slots__ = ("_generator", "_values")

    def __init__(self, active: ActiveRecordings[Any], generator: AsyncGenerator[Any, Any]) -> None:
        self._generator = generator
        self._values = _Suspended(active)

    def step(self, method: str, *args: Any) -> _Step:
        """One ``asend``, ``athrow`` or ``aclose``, to be awaited."""
        return _Step(getattr(self._generator, method)(*args), self._values)


class _Step:
    """Awaits one step of an async generator, swapping context values around every inner step."""

    __slots__ = ("_awaitable", "_values")

    def __init__(self, awaitable: Any, values: _Suspended[Any]) -> None:
        self._awaitable = awaitable
        self._values = values

    def __await__(self) -> Generator[Any, Any, Any]:
        iterator = self._awaitable.__await__()
        values = self._values
        method, argument = iterator.send, None
        while True:
            values.swap()
            try:
                waiting_for = method(argument)
            except StopIteration as stop:
                return stop.value
            finally:
                values.swap()
            try:
                argument = yield waiting_for
                method = iterator.send
            except GeneratorExit:
                iterator.close()
                raise
            except BaseException as error:
                method, argument = iterator.throw, error
