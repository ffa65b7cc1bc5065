"""From rows to chunks: capture, cutting, assembling. Pure: no asyncio, threads are only locked out."""
