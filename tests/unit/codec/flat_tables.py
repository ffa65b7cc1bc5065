"""An Arrow schema message made by hand, with what no encoder writes: fields that share their bytes."""

from __future__ import annotations

import struct


def schema_stream(fields: int, name: bytes, depth: int = 1, end_of_stream: bool = True) -> bytes:
    """An IPC stream with a schema whose list of fields points to one and the same field, so many times.

    Args:
        fields: How often.
        name: Of the field.
        depth: How many levels of children it has; each lists the next one so many times.
        end_of_stream: Whether the stream ends properly.
    """
    out = bytearray()

    def put(data: bytes) -> int:
        position = len(out)
        out.extend(data)
        return position

    def align(to: int) -> None:
        out.extend(bytes(-len(out) % to))

    put(struct.pack("<I", 0))
    # What each table has: size of this list, size of the table, places of the fields.
    message_slots = put(struct.pack("<6H", 12, 24, 16, 18, 4, 8))
    schema_slots = put(struct.pack("<4H", 8, 8, 0, 4))
    field_slots = put(struct.pack("<8H", 16, 20, 4, 17, 16, 8, 0, 12))
    null_slots = put(struct.pack("<2H", 4, 4))
    align(8)
    message = put(struct.pack("<iIqhBx", len(out) - message_slots, 0, 0, 4, 1) + bytes(4))
    struct.pack_into("<I", out, 0, message)
    align(4)
    schema = put(struct.pack("<iI", len(out) - schema_slots, 0))
    struct.pack_into("<I", out, message + 4, schema - (message + 4))
    wanted_by = schema + 4
    for level in range(depth):
        vector = put(struct.pack("<I", fields))
        struct.pack_into("<I", out, wanted_by, vector - wanted_by)
        put(bytes(4 * fields))
        field = put(
            struct.pack("<iIIIBBxx", len(out) - field_slots, 0, 0, 0, 1 if level == depth - 1 else 13, 1)
        )
        for position in range(vector + 4, vector + 4 + 4 * fields, 4):
            struct.pack_into("<I", out, position, field - position)
        kind = put(struct.pack("<i", len(out) - null_slots))
        struct.pack_into("<I", out, field + 8, kind - (field + 8))
        text = put(struct.pack("<I", len(name)) + name + b"\0")
        struct.pack_into("<I", out, field + 4, text - (field + 4))
        align(4)
        wanted_by = field + 12
    nothing = put(struct.pack("<I", 0))
    struct.pack_into("<I", out, wanted_by, nothing - wanted_by)
    align(8)
    end = struct.pack("<II", 0xFFFFFFFF, 0) if end_of_stream else b""
    return struct.pack("<II", 0xFFFFFFFF, len(out)) + bytes(out) + end
