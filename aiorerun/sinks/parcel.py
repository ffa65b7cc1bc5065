"""A message on its way to several sinks, and the account that its rows and bytes are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from aiorerun.pipeline.overflow import ESSENTIAL, NEVER, STATIC, TEMPORAL
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.ledger import Ledger

PROPERTIES_PATH = "/__properties"


class Account(Protocol):
    """Who is told what became of rows; a change of the ledger in between makes old news void."""

    @property
    def ledger(self) -> Ledger:
        """Where it is counted now."""
        ...

    def settle(
        self, cost: int, rows: int, lost_because: str | None, *, aside: bool = False, ledger: Ledger | None
    ) -> None:
        """Rows have arrived everywhere, or are lost."""
        ...

    def set_aside(self, cost: int, nbytes: int, ledger: Ledger | None) -> None:
        """So many encoded bytes wait only for sinks that nobody waits for; the cost is settled."""
        ...

    def count_again(self, nbytes: int, ledger: Ledger | None) -> None:
        """Bytes that were set aside count towards the limit again."""
        ...


class Parcel:
    """A message on its way to several sinks; settled when the last of them is through with it.

    Args:
        message: What they get.
        sinks: How many.
        waited_for: How many of them producers wait for.
        rows: Rows that it stands for.
        cost: What it counts towards the byte limit of the stream.
        account: Who is told; ``None`` if the rows were settled before.
        lost_because: Why a sink that it was meant for before did not get it, if that is so.

    Attributes:
        nbytes: Encoded bytes.
        lost_because: Why one of the sinks did not get it.
    """

    __slots__ = (
        "_account", "_aside", "_cost", "_ledger", "_open", "_waited_for", "lost_because", "message", "nbytes",
        "rows",
    )  # fmt: skip

    def __init__(
        self,
        message: Message,
        sinks: int,
        waited_for: int,
        *,
        rows: int | None = None,
        cost: int = 0,
        account: Account | None = None,
        lost_because: str | None = None,
    ) -> None:
        self.message = message
        self.nbytes = message.nbytes
        self.rows = message.rows if rows is None else rows
        self._cost = cost
        self._open = sinks
        self._waited_for = waited_for
        self._account = account
        self._ledger = None if account is None else account.ledger
        self.lost_because = lost_because
        self._aside = False
        if not waited_for:
            self._set_aside()

    @property
    def rank(self) -> int:
        """How late it is dropped, see :mod:`aiorerun.pipeline.overflow`."""
        return message_rank(self.message)

    @property
    def key(self) -> Hashable:
        """Store, entity, timelines and components: a newer message of the same replaces it."""
        index = self.message.index
        assert index is not None
        return (self.message.store, index.group.entity_path, index.group.columns)

    def leave(self, lost_because: str | None, *, waited_for: bool) -> bool:
        """One sink is through with it. Returns whether its account is to be told: :func:`settle` does so."""
        self.lost_because = self.lost_because or lost_because
        self._open -= 1
        self._waited_for -= waited_for
        if self._open == 0:
            return self._account is not None
        if self._waited_for == 0:
            self._set_aside()
        return False

    @property
    def share(self) -> _Share:
        """Parcels for which these are equal can be settled together."""
        return self._account, self._ledger, self._aside, self.lost_because

    @property
    def cost(self) -> int:
        """What it counts for until it is settled."""
        return self.nbytes if self._aside else self._cost

    @property
    def is_settled(self) -> bool:
        """Whether its rows were settled before."""
        return self._account is None

    def reclaim(self) -> int:
        """Ends its way where the only sink gives it back; returns what it counts towards the byte limit."""
        if self._aside:
            self._aside = False
            self._cost = self.nbytes
            assert self._account is not None
            self._account.count_again(self.nbytes, self._ledger)
        return self._cost

    def _set_aside(self) -> None:
        if self._account is not None and not self._aside:
            self._aside = True
            self._account.set_aside(self._cost, self.nbytes, self._ledger)


_Share: TypeAlias = "tuple[Account | None, Ledger | None, bool, str | None]"
"""What parcels that are settled together have in common: account, ledger, whether set aside, the reason."""


def settle(parcels: Iterable[Parcel], lost_because: str | None, *, waited_for: bool) -> None:
    """One sink is through with these: it has taken them, or they are lost for it.

    Those that no other sink is to get are over. Accounts are told of many at once: that takes locks.
    """
    share: _Share = (None, None, False, None)
    cost = rows = 0
    for parcel in parcels:
        if parcel.leave(lost_because, waited_for=waited_for):
            if parcel.share != share:
                _tell(share, cost, rows)
                share, cost, rows = parcel.share, 0, 0
            cost += parcel.cost
            rows += parcel.rows
    _tell(share, cost, rows)


def _tell(share: _Share, cost: int, rows: int) -> None:
    account, ledger, aside, lost_because = share
    if account is not None:
        account.settle(cost, rows, lost_because, aside=aside, ledger=ledger)


def message_rank(message: Message) -> int:
    """How late a message is dropped, see :mod:`aiorerun.pipeline.overflow`."""
    index = message.index
    if index is None:
        return NEVER
    path = index.group.entity_path
    if message.store.kind is StoreKind.BLUEPRINT:
        return ESSENTIAL
    return rank_of(path, is_static=not index.group.columns.timelines)


def rank_of(entity_path: str, *, is_static: bool) -> int:
    """How late data of a recording is dropped."""
    if is_property(entity_path):
        return ESSENTIAL
    return STATIC if is_static else TEMPORAL


def is_property(entity_path: str) -> bool:
    """Whether an entity holds recording properties."""
    return entity_path == PROPERTIES_PATH or entity_path.startswith(PROPERTIES_PATH + "/")
