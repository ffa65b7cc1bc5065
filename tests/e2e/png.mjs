// Reads the PNG files that Chromium makes: eight bits for each of three or four channels, not interlaced.

import { inflateSync } from "node:zlib";

function chunks(png) {
  const found = [];
  for (let at = 8; at < png.length; ) {
    const size = png.readUInt32BE(at);
    found.push([png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + size)]);
    at += size + 12;
  }
  return found;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function predict(filter, left, up, corner) {
  return [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
}

export function pixels(png) {
  const all = chunks(png);
  const head = all.find(([name]) => name === "IHDR")[1];
  const [width, height, depth, kind] = [head.readUInt32BE(0), head.readUInt32BE(4), head[8], head[9]];
  const step = { 2: 3, 6: 4 }[kind];
  if (depth !== 8 || !step || head[12]) throw new Error("this kind of PNG is not known here");
  const packed = inflateSync(Buffer.concat(all.filter(([name]) => name === "IDAT").map(([, data]) => data)));
  const row = width * step;
  const data = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const filter = packed[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const at = y * row + x;
      const left = x >= step ? data[at - step] : 0;
      const up = y ? data[at - row] : 0;
      const corner = x >= step && y ? data[at - row - step] : 0;
      data[at] = packed[y * (row + 1) + 1 + x] + predict(filter, left, up, corner);
    }
  }
  return { width, height, step, data };
}

export function countPixels(png, rgb, tolerance = 12) {
  const { step, data } = pixels(png);
  let count = 0;
  for (let at = 0; at < data.length; at += step)
    if (rgb.every((value, i) => Math.abs(data[at + i] - value) < tolerance)) count++;
  return count;
}
