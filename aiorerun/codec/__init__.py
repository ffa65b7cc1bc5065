"""Chunks as encoded messages, and messages as RRD streams, both ways. Pure: no I/O, no event loop."""
