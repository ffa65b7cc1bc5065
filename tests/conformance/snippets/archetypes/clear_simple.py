"""Lamps that go out one after the other."""

import aiorerun.sync as rr

rr.init("snippet_clear_simple", recording_id="lamps", spawn=True)

LAMPS = 5
for lamp in range(LAMPS):
    rr.log(
        f"lamps/{lamp}",
        rr.Arrows3D(vectors=(0.0, 0.0, 1.5), origins=(lamp * 2.0, 0.0, 0.0), colors=(255, 40 * lamp, 0)),
    )
for lamp in reversed(range(LAMPS)):
    rr.log(f"lamps/{lamp}", rr.Clear(recursive=False))
