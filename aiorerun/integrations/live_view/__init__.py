"""A page of a service's own on which its recording is shown live: see ``asgi`` and ``aiohttp``."""
