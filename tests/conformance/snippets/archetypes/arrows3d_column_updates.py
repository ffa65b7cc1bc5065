"""Wind at four masts over six seconds, sent as columns in one call."""

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_arrows3d_column_updates", recording_id="wind", spawn=True)

SECONDS = 6
masts = np.linspace((0, 0, 20), (30, 0, 20), 4)

rr.send_columns(
    "wind/masts",
    indexes=[rr.TimeColumn("clock", duration=np.arange(100, 100 + SECONDS, 1.0))],
    columns=[
        *rr.Arrows3D.columns(
            origins=[masts] * SECONDS,
            vectors=[np.linspace((1, 0, 0), (2, second, 0), 4) for second in range(SECONDS)],
            colors=[0x2266AAFF, 0x3377AAFF, 0x4488AAFF, 0x5599AAFF, 0x66AAAAFF, 0x77BBAAFF],
        )
    ],
)
