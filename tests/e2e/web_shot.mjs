// Opens a page of the web viewer in headless Chromium and watches it until it shows what is expected.
//
//   node web_shot.mjs PAGE_URL [--shot FILE.png] [--size 800x500] [--wait SECONDS]
//        [--color R,G,B:PIXELS]... [--event TEXT]... [--settle SECONDS]
//
// Prints one JSON object per line: {"event": …} for each event of the viewer, {"trouble": …} for what went wrong,
// and at last {"result": …}. Exits with 0 once every colour has as many pixels and every event text was seen.
// Takes the browser from the variable CHROMIUM, else `chromium` on the PATH.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { countPixels } from "./png.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shot: { type: "string" },
    size: { type: "string", default: "800x500" },
    wait: { type: "string", default: "120" },
    color: { type: "string", multiple: true, default: [] },
    event: { type: "string", multiple: true, default: [] },
    settle: { type: "string", default: "0" },
  },
});
const [pageUrl] = positionals;
const [width, height] = options.size.split("x").map(Number);
const colors = options.color.map((text) => {
  const [rgb, pixels] = text.split(":");
  return { rgb: rgb.split(",").map(Number), pixels: Number(pixels) };
});
const missing = new Set(options.event);
const begin = Date.now();
const seconds = () => (Date.now() - begin) / 1000;
const print = (line) => process.stdout.write(`${JSON.stringify({ ...line, at: seconds() })}\n`);

const isOurs = (url) => ["127.0.0.1", "localhost"].includes(new URL(url).hostname);

function watch(page) {
  page.on("console", (message) => {
    const text = message.text();
    if (text.startsWith("EVENT ")) {
      print({ event: text.slice(6, 2000) });
      for (const wanted of missing) if (text.includes(wanted)) missing.delete(wanted);
    } else if (message.type() === "error" || / ERROR /.test(text)) {
      print({ trouble: text.slice(0, 500) });
    }
  });
  page.on("pageerror", (error) => print({ trouble: String(error).slice(0, 500) }));
  page.on("response", (response) => {
    if (response.url().includes("MessageProxyService"))
      print({ grpc: response.request().method(), status: response.status() });
  });
  page.on("requestfailed", (request) => {
    const url = request.url();
    if (url.startsWith("http") && isOurs(url)) print({ trouble: `${url}: ${request.failure()?.errorText}` });
  });
}

async function shoot(page) {
  const png = await page.screenshot({ timeout: 120_000 });
  if (options.shot) await writeFile(options.shot, png);
  return png;
}

async function waitForAll(page) {
  for (;;) {
    const png = await shoot(page);
    const seen = colors.map(({ rgb }) => countPixels(png, rgb));
    const isSeen = seen.every((pixels, i) => pixels >= colors[i].pixels) && missing.size === 0;
    if (isSeen || seconds() > Number(options.wait))
      return { ok: isSeen, pixels: seen, missing: [...missing], title: await page.title() };
    await page.waitForTimeout(500);
  }
}

const profile = await mkdtemp(join(tmpdir(), "web-shot-"));
let outcome = { ok: false };
try {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    viewport: { width, height },
    // There is no graphics card: everything is drawn by the processor.
    args: [
      ...["--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"],
      ...["--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
  try {
    // The viewer asks for news, fonts and examples of the internet; nothing of that may matter here.
    await context.route((url) => url.protocol.startsWith("http") && !isOurs(url.href), (route) => route.abort());
    const page = await context.newPage();
    watch(page);
    await page.goto(pageUrl);
    outcome = await waitForAll(page);
    if (outcome.ok && Number(options.settle) > 0) {
      await page.waitForTimeout(Number(options.settle) * 1000);
      await shoot(page);
    }
  } finally {
    await context.close();
  }
} catch (error) {
  outcome = { ok: false, error: String(error).slice(0, 2000) };
} finally {
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
print({ result: outcome });
process.exit(outcome.ok ? 0 : 1);
