"""Real files of all formats, made by the libraries of these formats, or shipped in ``tests/data/files``."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.importers.files import write_recording, write_video

ROOT: Final = Path(__file__).parents[2]

SHIPPED: Final = ROOT / "tests" / "data" / "files"
"""Meshes, clouds, splats and a robot."""

IMAGES: Final = ("png", "jpg", "gif", "bmp", "tif", "webp", "ico", "tga", "ppm", "pgm", "pbm")
"""What Pillow writes everywhere."""

FRAMES: Final = 12
"""How long the videos and episodes are."""


def write_files(folder: Path) -> list[str]:
    """Writes all of them; returns their names, directories among them."""
    names = [each.name for each in sorted(SHIPPED.iterdir())]
    for name in names:
        shutil.copy(SHIPPED / name, folder / name)
    shutil.copy(ROOT / "LICENSE-MIT", folder / "license.txt")
    names.append("license.txt")
    for write in (write_images, write_tables, write_recordings, write_mcaps):
        names += write(folder)
    write_video(folder / "film.mp4")
    write_dataset(folder / "dataset")
    (folder / "all sorts" / "below").mkdir(parents=True)
    for name in ("picture.png", "ball.glb", "arm.urdf", "json.mcap"):
        shutil.copy(folder / name, folder / "all sorts" / "below" / name)
    return [*names, "film.mp4", "dataset", "all sorts"]


def write_images(folder: Path) -> list[str]:
    """Pictures in color, in gray, and with 16 bits."""
    from PIL import Image

    ramp = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(12, 16, 3)
    for kind in IMAGES:
        picture = Image.fromarray(ramp)
        # The last three are for gray and for black and white.
        picture = picture.convert({"pgm": "L", "pbm": "1"}.get(kind, "RGB"))
        picture.save(folder / f"picture.{kind}")
    depth = np.arange(16 * 12, dtype=np.uint16).reshape(12, 16) * 300
    Image.fromarray(depth).save(folder / "depth.png")
    return [*(f"picture.{kind}" for kind in IMAGES), "depth.png"]


def write_tables(folder: Path) -> list[str]:
    """Measurements, compressed in two ways."""
    table = pa.table(
        {
            "imu_x": np.linspace(0, 1, 50),
            "imu_y": np.linspace(1, 2, 50),
            "label": [f"step {number}" for number in range(50)],
            "joints": [[number, number + 0.5] for number in range(50)],
        }
    )
    pq.write_table(table, folder / "measured.parquet", compression="zstd")
    pq.write_table(table.select(["label"]), folder / "labels.parquet", row_group_size=20)
    return ["measured.parquet", "labels.parquet"]


def write_recordings(folder: Path) -> list[str]:
    """A recording, and a blueprint of the official SDK."""
    write_recording(folder / "run.rrd", rows=40)
    make = "import sys, rerun.blueprint as rrb; rrb.Blueprint(rrb.TextLogView()).save('app', sys.argv[1])"
    subprocess.run([sys.executable, "-c", make, str(folder / "view.rbl")], check=True, timeout=100)
    return ["run.rrd", "view.rbl"]


def write_mcaps(folder: Path) -> list[str]:
    """Logs with Foxglove's messages, with JSON, and with those of ROS 2."""
    _write_foxglove(folder / "foxglove.mcap")
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "number"}}}).encode()
    values = [json.dumps({"a": number}).encode() for number in range(5)]
    _write_mcap(folder / "json.mcap", "a", ("jsonschema", schema), "json", values)
    texts = [f"hello {number}\0".encode() for number in range(5)]
    # CDR, little endian: the length of the text, and the text.
    values = [b"\0\1\0\0" + struct.pack("<I", len(text)) + text for text in texts]
    _write_mcap(folder / "ros2.mcap", "std_msgs/msg/String", ("ros2msg", b"string data\n"), "cdr", values)
    return ["foxglove.mcap", "json.mcap", "ros2.mcap"]


def _write_mcap(path: Path, name: str, schema: tuple[str, bytes], encoding: str, values: list[bytes]) -> None:
    from mcap.writer import Writer

    with path.open("wb") as file:
        writer: Any = Writer(file)
        writer.start()
        known = writer.register_schema(name=name, encoding=schema[0], data=schema[1])
        channel = writer.register_channel(topic="/said", message_encoding=encoding, schema_id=known)
        for number, value in enumerate(values):
            time = number * 10**9
            writer.add_message(channel, log_time=time, publish_time=time + 1, data=value)
        writer.add_metadata("about", {"made by": "a test"})
        writer.add_attachment(1, 2, "note.txt", "text/plain", b"attached")
        writer.finish()


def _write_foxglove(path: Path) -> None:
    import foxglove
    from foxglove import channels, messages

    with foxglove.open_mcap(path):
        said = channels.LogChannel("/said")
        moved = channels.FrameTransformChannel("/moved")
        for number in range(5):
            time = number * 10**9
            stamp = messages.Timestamp(sec=number, nsec=5)
            message = messages.Log(
                timestamp=stamp, level=messages.LogLevel.Warning, message=f"message {number}", name="test"
            )
            said.log(message, log_time=time)
            moved.log(
                messages.FrameTransform(
                    timestamp=stamp,
                    parent_frame_id="world",
                    child_frame_id="robot",
                    translation=messages.Vector3(x=number, y=1, z=2),
                    rotation=messages.Quaternion(x=0, y=0, z=0, w=1),
                ),
                log_time=time,
            )


def write_dataset(folder: Path) -> None:
    """A LeRobot dataset of two episodes."""
    kinds = {"timestamp": "float32", **dict.fromkeys(("frame_index", "episode_index", "index"), "int64")}
    features: dict[str, Any] = {name: {"dtype": kind, "shape": [1]} for name, kind in kinds.items()}
    features |= {"task_index": {"dtype": "int64", "shape": [1]}}
    features |= {"action": {"dtype": "float32", "shape": [2], "names": ["left", "right"]}}
    data_path = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
    about = {
        "codebase_version": "v2.1",
        "robot_type": "test",
        "total_episodes": 2,
        "total_frames": 2 * FRAMES,
        "total_tasks": 1,
        "total_videos": 0,
        "total_chunks": 1,
        "chunks_size": 1000,
        "fps": 30,
        "splits": {"train": "0:2"},
        "data_path": data_path,
        "features": features,
    }
    episodes = [{"episode_index": number, "tasks": ["grasp"], "length": FRAMES} for number in range(2)]
    (folder / "meta").mkdir(parents=True)
    (folder / "data" / "chunk-000").mkdir(parents=True)
    (folder / "meta" / "info.json").write_text(json.dumps(about))
    (folder / "meta" / "episodes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in episodes))
    (folder / "meta" / "tasks.jsonl").write_text('{"task_index": 0, "task": "grasp"}\n')
    (folder / "meta" / "episodes_stats.jsonl").write_text("")
    for number in range(2):
        rows = np.arange(FRAMES)
        actions = np.arange(2 * FRAMES, dtype=np.float32).reshape(FRAMES, 2) + number
        table = pa.table(
            {
                "action": pa.array(actions.tolist(), pa.list_(pa.float32(), 2)),
                "timestamp": pa.array(rows / 30, pa.float32()),
                "frame_index": rows,
                "episode_index": np.full(FRAMES, number),
                "index": rows + number * FRAMES,
                "task_index": np.zeros(FRAMES, np.int64),
            }
        )
        pq.write_table(table, folder / data_path.format(episode_chunk=0, episode_index=number))
