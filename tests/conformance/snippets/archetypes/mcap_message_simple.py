"""A message as an MCAP file holds it."""

import aiorerun.sync as rr

rr.init("snippet_mcap_message_simple", recording_id="message", spawn=True)

rr.log("log/messages/weather", rr.McapMessage(data=b"\x00\x01wind=7.5;rain=0\xff"))
