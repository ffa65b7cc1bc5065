"""The spokes of a wheel, all cleared by one row at the hub."""

import aiorerun.sync as rr

rr.init("snippet_clear_recursive", recording_id="wheel", spawn=True)

SPOKES = {
    "north": ((0.0, 2.0, 0.0), (0.0, 0.5, 0.0), (10, 20, 30)),
    "south": ((0.0, -2.0, 0.0), (0.0, -0.5, 0.0), (40, 50, 60)),
    "west": ((-2.0, 0.0, 0.0), (-0.5, 0.0, 0.0), (70, 80, 90)),
}
for name, (vector, origin, color) in SPOKES.items():
    rr.log(f"wheel/{name}", rr.Arrows3D(vectors=vector, origins=origin, colors=color))

rr.log("wheel", rr.Clear(recursive=True))
