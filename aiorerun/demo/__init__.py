"""The demo: an asyncio program that records the machine it runs on.

``python -m aiorerun demo`` starts it. The modules:

- ``machine``: what is read off the machine, with psutil; blocking, so it is called in threads;
- ``history``: the recent load as a picture;
- ``samplers``: the concurrent tasks, one per subject, each with timelines of its own;
- ``progress``: what the terminal shows meanwhile;
- ``command``: arguments, the run itself, and the summary.
"""
