"""Blueprints of the blocking API: saving and sending them blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.blueprint import layout, table
from aiorerun.blueprint._store import save
from aiorerun.portal import PortalLease

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine


class Blueprint(layout.Blueprint):
    __doc__ = layout.Blueprint.__doc__

    def to_blueprint(self) -> Blueprint:
        """The blueprint itself."""
        return self

    def save(  # type: ignore[override]
        self, application_id: str, path: str | os.PathLike[str] | None = None
    ) -> None:
        """Writes the blueprint to a file, which is usually called ``….rbl``; blocks.

        Args:
            application_id: Whose recordings it is for.
            path: The file, overwritten if it exists; by default the application id with ``.rbl``.

        Raises:
            SinkOpenError: The file cannot be created.
            ValueError: The application id is empty.
        """
        save(self, application_id, path)

    def connect_grpc(  # type: ignore[override]
        self,
        application_id: str,
        *,
        url: str | None = None,
        make_active: bool = True,
        make_default: bool = True,
    ) -> None:
        """Sends the blueprint to a viewer or server, and returns when that has it; blocks.

        Args:
            application_id: Whose recordings it is for.
            url: The server; by default that of a viewer on this machine.
            make_active: Show it now.
            make_default: Show it when the viewer's own blueprint is reset, and now if there is no other.

        Raises:
            InvalidUrlError: The URL is none of a server.
            ConnectionError: The server cannot be reached within some seconds.
        """
        _wait(
            super().connect_grpc(application_id, url=url, make_active=make_active, make_default=make_default)
        )

    def spawn(  # type: ignore[override]
        self,
        application_id: str,
        *,
        port: int = 9876,
        memory_limit: str = "75%",
        hide_welcome_screen: bool = False,
        detach_process: bool = True,
    ) -> None:
        """Starts a viewer, if none listens yet, and shows the blueprint in it; blocks.

        Args:
            application_id: Whose recordings it is for.
            port: Where the viewer listens.
            memory_limit: What it may keep, e.g. ``"16GB"`` or ``"50%"``.
            hide_welcome_screen: Whether it starts without its welcome page.
            detach_process: Whether it outlives this program.

        Raises:
            ViewerNotFoundError: There is no viewer on this machine.
            ConnectionError: It cannot be reached.
        """
        _wait(
            super().spawn(
                application_id,
                port=port,
                memory_limit=memory_limit,
                hide_welcome_screen=hide_welcome_screen,
                detach_process=detach_process,
            )
        )


class TableBlueprint(table.TableBlueprint):
    __doc__ = table.TableBlueprint.__doc__

    def save(  # type: ignore[override]
        self, application_id: str, path: str | os.PathLike[str] | None = None
    ) -> None:
        """Writes the blueprint to a file, which is usually called ``….rbl``; blocks.

        Args:
            application_id: Whose tables it is for.
            path: The file, overwritten if it exists; by default the application id with ``.rbl``.

        Raises:
            SinkOpenError: The file cannot be created.
            ValueError: The application id is empty.
        """
        save(self, application_id, path)


def _wait(sending: Coroutine[None, None, None]) -> None:
    async def run() -> None:
        await sending

    lease = PortalLease()
    try:
        lease.call(run)
    finally:
        lease.release()
