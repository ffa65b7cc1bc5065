"""A channel as an MCAP file declares it."""

import aiorerun.sync as rr

rr.init("snippet_mcap_channel_simple", recording_id="channel", spawn=True)

rr.log(
    "log/channels/7",
    rr.McapChannel(
        id=7,
        topic="/lidar/front",
        message_encoding="protobuf",
        metadata={"vendor": "none", "rate": "10 Hz", "frame": "roof"},
    ),
)
