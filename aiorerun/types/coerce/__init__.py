"""Coercion: how what users pass becomes captured data. One module per family of encodings."""
