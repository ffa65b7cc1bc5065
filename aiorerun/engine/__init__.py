"""The engine: from rows that were captured to the sinks that write them.

:mod:`.engine` says when rows are cut off, :mod:`.conveyor` moves them through the worker to the sinks,
:mod:`.room` holds callers back when too much is under way.
"""
