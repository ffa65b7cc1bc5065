"""Who may see a live view."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from aiorerun.net.hosts import is_loopback
from aiorerun.server.cors import Origins
from aiorerun.viewer.page_answers import MOUNTED_SECURITY, Answer, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiorerun.integrations.live_view.request import ViewRequest

    Authorize: TypeAlias = Callable[[ViewRequest], bool | Awaitable[bool]]

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers of requests that came through a proxy: the address of the other side says nothing then."""

_LOCAL_ONLY: Final = (
    "This live view serves this machine only: pass authorize=... to say who may see it, or insecure=True to "
    "let everybody in."
)

logger = logging.getLogger("aiorerun")


class Access:
    """Decides who gets anything.

    Without ``authorize`` and ``insecure`` that is who comes from this machine, not through a proxy, and to a
    name of this machine, so that neither other machines nor pages of the internet reach it by accident.

    Args:
        authorize: Asked for each request; what it raises is left to the framework.
        insecure: Let everybody in.
        challenge: The header ``www-authenticate`` of refusals.
        cors_allow_origin: Origins of other pages that may read, with ``*`` for any characters.
    """

    def __init__(
        self,
        authorize: Authorize | None,
        *,
        insecure: bool,
        challenge: str | None,
        cors_allow_origin: Iterable[str],
    ) -> None:
        self._authorize = authorize
        self._is_local = authorize is None and not insecure
        self._challenge = challenge
        self._has_told = False
        self.origins = Origins(cors_allow_origin, is_open=not self._is_local, defaults=())

    def __repr__(self) -> str:
        kind = "authorize" if self._authorize is not None else "local" if self._is_local else "insecure"
        return f"Access({kind})"

    def check_place(self, request: ViewRequest) -> Answer | None:
        """The refusal of a request that comes from where it should not; preflights are checked as well."""
        if self._is_local and not self._is_from_here(request):
            if not self._has_told:
                self._has_told = True
                logger.warning("a request from elsewhere was refused. %s", _LOCAL_ONLY)
            return refusal(403, _LOCAL_ONLY, MOUNTED_SECURITY)
        return None

    async def check_person(self, request: ViewRequest) -> Answer | None:
        """The refusal of a request that ``authorize`` does not like."""
        if self._authorize is None:
            return None
        verdict = self._authorize(request)
        if inspect.isawaitable(verdict):
            verdict = await verdict
        if verdict is True:
            return None
        if verdict is not False:
            raise TypeError(f"authorize: must give True or False, not {type(verdict).__name__}")
        if self._challenge is None:
            return refusal(403, "You may not see this.", MOUNTED_SECURITY)
        refused = refusal(401, "You have to say who you are.", MOUNTED_SECURITY)
        refused.headers.append(("www-authenticate", self._challenge))
        return refused

    def check_page(self, headers: Mapping[str, str]) -> Answer | None:
        """The refusal of a request for data that a page of another origin makes.

        Browsers would not let such a page read the answer; here it gets none in the first place. Those that
        do not say from where it comes still keep it from the page.
        """
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        is_link = headers.get("sec-fetch-mode") == "navigate"
        if not is_foreign or is_link or self.origins.allows(headers.get("origin", "")):
            return None
        return refusal(403, "This origin is not allowed: see cors_allow_origin.", MOUNTED_SECURITY)

    def _is_from_here(self, request: ViewRequest) -> bool:
        return (
            request.client is not None
            and is_loopback(request.client)
            and not any(name in request.headers for name in _FORWARDED)
            and self.origins.allows_host(request.headers)
        )
