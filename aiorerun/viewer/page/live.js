// Reads a recording that an HTTP server streams as .rrd, from its beginning and then as it grows, and hands it to
// the viewer in pieces that are complete streams of their own. The viewer follows what it is given like this, as it
// does with gRPC; of an address that it opens itself it thinks that the recording is finished, and plays it.
//
// When the connection ends it is made anew. What comes twice then the viewer knows by its chunk ids.

const STREAM_HEADER = 12;
const MESSAGE_HEADER = 16;
const PIECE = 4 << 20;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;
// A connection that held for so long was a good one.
const GOOD = 60_000;

// Bytes that come in pieces of any size; what is asked for is joined once.
class Bytes {
  #pieces = [];
  size = 0;

  push(piece) {
    this.#pieces.push(piece);
    this.size += piece.length;
  }

  // The first bytes, which are taken off unless they are only looked at.
  take(count, { peek = false } = {}) {
    const taken = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    for (const piece of this.#pieces) {
      if (filled === count) break;
      const part = piece.subarray(0, count - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) used += 1;
      else if (!peek) this.#pieces[used] = piece.subarray(part.length);
    }
    if (!peek) {
      this.#pieces.splice(0, used);
      this.size -= count;
    }
    return taken;
  }
}

function messageSize(head) {
  const view = new DataView(head.buffer);
  return MESSAGE_HEADER + Number(view.getBigUint64(8, true));
}

// Gives the messages of a stream, as many at a time as are there, each time behind the header of the stream.
async function* pieces(body) {
  const reader = body.getReader();
  const bytes = new Bytes();
  let header = null;
  let next = null;
  let messages = [];
  let size = 0;
  const flush = () => {
    const piece = new Uint8Array(header.length + size);
    piece.set(header);
    let position = header.length;
    for (const message of messages) {
      piece.set(message, position);
      position += message.length;
    }
    messages = [];
    size = 0;
    return piece;
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes.push(value);
      if (header === null && bytes.size >= STREAM_HEADER) header = bytes.take(STREAM_HEADER);
      while (header !== null) {
        if (next === null && bytes.size >= MESSAGE_HEADER)
          next = messageSize(bytes.take(MESSAGE_HEADER, { peek: true }));
        if (next === null || bytes.size < next) break;
        messages.push(bytes.take(next));
        size += next;
        next = null;
        if (size >= PIECE) yield flush();
      }
      if (size > 0) yield flush();
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function refusal(response) {
  if (response.status === 401 || response.status === 403) return "You are not allowed to see this recording.";
  return `The recording cannot be had: ${response.status} ${response.statusText}`;
}

async function read(url, show) {
  const response = await fetch(url, { cache: "no-store", credentials: "same-origin" });
  if (!response.ok) return refusal(response);
  show.text("");
  for await (const piece of pieces(response.body)) show.data(piece);
  return "The connection has ended.";
}

// Shows a recording for ever: `show.data` gets streams, `show.text` what to tell people, or nothing.
export async function follow(url, show) {
  let pause = FIRST_PAUSE;
  for (;;) {
    const begin = performance.now();
    let trouble;
    try {
      trouble = await read(url, show);
    } catch (error) {
      trouble = `The connection is broken: ${error.message}`;
    }
    if (performance.now() - begin > GOOD) pause = FIRST_PAUSE;
    show.text(`${trouble} Trying again …`);
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}
