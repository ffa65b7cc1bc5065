"""The script of the page that reads a recording, in Node.js: the stream is cut in pieces that are streams."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Mapping

import pytest

from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_header
from aiorerun.viewer.assets import PAGE

NODE = shutil.which("node")

SCRIPT = """
import { readFileSync, writeFileSync } from "node:fs";
const [script, input] = process.argv.slice(1);
const { answers, stop } = JSON.parse(readFileSync(0, "utf8"));
let asked = 0;
const pauses = [];
globalThis.fetch = async (url, options) => {
  const answer = answers[asked];
  asked += 1;
  if (answer === undefined) {
    writeFileSync(1, JSON.stringify({ done, texts, pauses, options }));
    process.exit(0);
  }
  if (answer.error) throw new Error(answer.error);
  const left = answer.pieces ?? [];
  const body = new ReadableStream({
    pull(controller) {
      if (left.length) controller.enqueue(new Uint8Array(Buffer.from(left.shift(), "hex")));
      else if (answer.breaks) controller.error(new Error(answer.breaks));
      else controller.close();
    },
  });
  return new Response(body, { status: answer.status ?? 200 });
};
globalThis.setTimeout = (resolve, pause) => {
  pauses.push(pause);
  queueMicrotask(resolve);
};
const done = [];
const texts = [];
const { follow } = await import(script);
await follow("recording.rrd", {
  data: (piece) => done.push(Buffer.from(piece).toString("hex")),
  text: (text) => texts.push(text),
});
"""

Answer = Mapping[str, object]


async def follow(*answers: Answer) -> dict[str, list[str]]:
    """What the page does with these answers, one after the other."""
    assert NODE is not None
    command = [NODE, "--input-type=module", "-e", SCRIPT, (PAGE / "live.js").as_uri()]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(30):
            given = json.dumps({"answers": answers}).encode()
            output, errors = await process.communicate(given)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    result: dict[str, list[str]] = json.loads(output)
    return result


def message(size: int, seed: int) -> bytes:
    return MESSAGE_HEADER.pack(MessageKind.ARROW_MSG, size) + random.Random(seed).randbytes(size)


def cut(data: bytes, seed: int, longest: int) -> list[str]:
    numbers = random.Random(seed)
    pieces = []
    while data:
        size = numbers.randint(1, longest)
        pieces.append(data[:size].hex())
        data = data[size:]
    return pieces


pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node.js")


@pytest.mark.parametrize("longest", [1, 7, 40, 5000, 1 << 20])
async def test_the_stream_is_put_together_whatever_pieces_it_comes_in(longest: int) -> None:
    sizes = [0, 1, 15, 16, 17, 100, 3000] + ([300_000, 5] if longest > 100 else [])
    messages = [message(size, number) for number, size in enumerate(sizes)]
    stream = stream_header() + b"".join(messages)
    seen = await follow({"pieces": cut(stream, longest, longest)})
    pieces = [bytes.fromhex(piece) for piece in seen["done"]]
    # Each piece is a stream of its own, of whole messages.
    rest = b"".join(messages)
    for piece in pieces:
        assert piece.startswith(stream_header())
        content = piece[len(stream_header()) :]
        assert content
        assert rest.startswith(content)
        rest = rest[len(content) :]
    assert rest == b""


async def test_a_message_that_is_cut_off_is_left_out() -> None:
    whole = message(10, 1)
    seen = await follow({"pieces": [(stream_header() + whole + whole[:20]).hex()], "breaks": "gone"})
    assert seen["done"] == [(stream_header() + whole).hex()]
    assert seen["texts"] == ["", "The connection is broken: gone Trying again …"]


async def test_it_tries_again_with_pauses_that_grow_and_says_why() -> None:
    refusals: list[Answer] = [{"status": status} for status in (401, 403, 503)]
    seen = await follow(*refusals, {"error": "no network"}, *[{"pieces": []}] * 4)
    assert seen["texts"][:2] == ["You are not allowed to see this recording. Trying again …"] * 2
    assert seen["texts"][2].startswith("The recording cannot be had: 503")
    assert "no network" in seen["texts"][3]
    assert seen["texts"][4:6] == ["", "The connection has ended. Trying again …"]
    pauses = [float(pause) for pause in seen["pauses"]]
    assert len(pauses) == 8
    for number, pause in enumerate(pauses):
        middle = min(1000 * 2**number, 30_000)
        assert 0.75 * middle <= pause <= 1.25 * middle
