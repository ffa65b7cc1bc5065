# Logs a triangle wave to a file; open it with: rerun quickstart.rrd
import asyncio

import aiorerun as rr


async def main() -> None:
    async with rr.AsyncRecordingStream("quickstart") as rec:
        await rec.save("quickstart.rrd")
        for step in range(1_000):
            rec.set_time("step", sequence=step)
            await rec.log("wave", rr.Scalars(abs(step % 100 - 50)))


asyncio.run(main())
