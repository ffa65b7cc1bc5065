"""Makes files of all formats, for tests."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import aiorerun.sync as blocking_rr

if TYPE_CHECKING:
    from pathlib import Path

XYZ: Final = ("float x", "float y", "float z")
RGB: Final = ("uchar red", "uchar green", "uchar blue")
CORNERS: Final = "list uchar int vertex_indices"


def ply(*elements: tuple[str, int, tuple[str, ...]], body: str | bytes = "", form: str = "ascii") -> bytes:
    """A PLY file: elements are names, numbers of rows, and properties."""
    head = f"ply\nformat {form} 1.0\ncomment made for a test\n"
    for name, rows, properties in elements:
        head += f"element {name} {rows}\n" + "".join(f"property {each}\n" for each in properties)
    return (head + "end_header\n").encode() + (body if isinstance(body, bytes) else body.encode())


def binary_ply(order: str) -> bytes:
    """A binary file with an element of lists before the points, and points with lists."""
    form = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    body = struct.pack(order + "Bhhh", 3, 1, 2, 3)
    for row in range(3):
        body += struct.pack(order + "fdhBBBBf", row, row + 0.5, -row, row, 2, 3, 4, 0.25 * row)
        body += b"\x02ab" + struct.pack(order + "H", row)
    properties = ("float x", "double y", "short z", *RGB, "uchar alpha", "float radius")
    return ply(
        ("other", 1, ("list uchar short things",)),
        ("vertex", 3, (*properties, "list uchar uchar label", "ushort intensity")),
        body=body,
        form=form,
    )


PLYS: Final = {
    "points": ply(("vertex", 2, (*XYZ, *RGB)), body="0 1 2 255 0 10\n3 4 5 1 2 3\n"),
    "flat": ply(
        ("vertex", 2, ("double x", "double y", "float red", "float green", "float blue", "float alpha")),
        body="0 1 0.5 1.0 0 0.25\n3 4 0 2.0 -1 1\n",
    ),
    "little": binary_ply("<"),
    "big": binary_ply(">"),
    "plain_binary": ply(("vertex", 2, XYZ), body=struct.pack("<6f", *range(6)), form="binary_little_endian"),
    "mesh": ply(("vertex", 3, XYZ), ("face", 1, (CORNERS,)), body="0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"),
    "no_faces": ply(("vertex", 1, XYZ), ("face", 0, (CORNERS,)), body="0 1 2\n"),
    "no_corners": ply(("vertex", 1, XYZ), ("face", 1, ("uchar red",)), body="0 1 2\n4\n"),
    "after_others": ply(("other", 1, ("list uchar int v",)), ("vertex", 1, XYZ), body="2 0 1\n0 1 2\n"),
    "radius": ply(("vertex", 1, (*XYZ, "uchar radius")), body="0 1 2 5\n"),
    "labels": ply(("vertex", 2, (*XYZ, "list uchar uchar label")), body="0 1 2 2 97 98\n0 1 2 0\n"),
    "numbers_for_labels": ply(("vertex", 1, (*XYZ, "list uchar int label")), body="0 1 2 1 97\n"),
    "wide_colors": ply(
        ("vertex", 1, (*XYZ, "short red", "double green", "ushort blue")), body="0 1 2 -5 1.5 65535\n"
    ),
    "two_colors": ply(("vertex", 1, (*XYZ, "uchar red", "uchar green")), body="0 1 2 5 5\n"),
    "twice": ply(("vertex", 1, (*XYZ, "float x")), body="0 1 2 9\n"),
    "nothing": ply(("vertex", 0, XYZ)),
    "crlf": ply(("vertex", 1, XYZ), body="0 1 2\n").replace(b"\n", b"\r\n"),
}
"""Files that are right."""

BROKEN_PLYS: Final = {
    "empty": b"",
    "no_header": b"nothing of the kind",
    "no_x": ply(("vertex", 1, ("float q",)), body="0\n"),
    "list_x": ply(("vertex", 1, ("list uchar float x", "float y")), body="1 0 1\n"),
    "no_number": ply(("vertex", 1, XYZ), body="0 a 2\n"),
    "no_whole_number": ply(("vertex", 1, ("int x", "int y")), body="0.5 1\n"),
    "too_large": ply(("vertex", 1, (*XYZ, *RGB)), body="0 1 2 300 2 3\n"),
    "too_few_lines": ply(("vertex", 2, XYZ), body="0 1 2\n"),
    "too_few_values": ply(("vertex", 1, XYZ), body="0 1\n"),
    "too_few_bytes": ply(("vertex", 2, XYZ), body=bytes(20), form="binary_big_endian"),
    "faces_alone": ply(("face", 1, (CORNERS,)), body="3 0 1 2\n"),
}
"""Files that are not."""


def write_tables(folder: Path) -> list[str]:
    """Parquet files with all kinds of column names, several batches, and no rows."""
    mixed = pa.table(
        {
            "a/b": [1, 2, 3],
            "cam_x": [1.0, 2.0, 3.0],
            "cam_y": [4.0, 5.0, 6.0],
            "lists": [[1], [2, 3], []],
            "text": ["x", None, "z"],
            "x_one": [1, 2, 3],
            "when": pa.array([1, 2, 3], pa.timestamp("us")),
            "we ird": [True, False, True],
            "trail_": [1, 2, 3],
            "_lead": [1, 2, 3],
            "_more": [1, 2, 3],
            "z": [1, 2, 3],
            "z_q_r": [1, 2, 3],
        }
    )
    pq.write_table(mixed.replace_schema_metadata({"made by": "a test"}), folder / "mixed.parquet")
    many = pa.table({"v": np.arange(5000), "w": np.arange(5000) * 1.5})
    pq.write_table(many, folder / "many.parquet", row_group_size=1500)
    pq.write_table(many.slice(0, 0), folder / "none.parquet", store_schema=False)
    return ["mixed.parquet", "many.parquet", "none.parquet"]


def write_video(path: Path, codec: str = "libx264") -> None:
    """A video of twelve frames."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 10, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_recording(path: Path, recording_id: str = "other", rows: int = 3) -> None:
    """A recording of another application."""
    with blocking_rr.RecordingStream("elsewhere", recording_id=recording_id) as rec:
        rec.save(path)
        for row in range(rows):
            rec.set_time("frame", sequence=row)
            rec.log("wave", blocking_rr.Scalars(row))
        rec.log("note", blocking_rr.TextLog("x"), static=True)
        rec.disconnect()


def write_program(folder: Path, body: str, name: str = "rerun-importer-test") -> Path:
    """An importer: a program of Python, in a directory for the ``PATH``."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport json, os, sys, time, signal\n{body}")
    program.chmod(0o755)
    return program
