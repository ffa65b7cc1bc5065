// Drives a notebook in JupyterLab in headless Chromium.
//
//   node lab.mjs NOTEBOOK_URL
//
// Takes one JSON object per line and answers each with one: {"do": "run", "cell": 0} runs a cell,
// {"do": "restart"} restarts the kernel, {"do": "count", "rgb": […]} counts the pixels of a colour, {"do": "text"}
// gives what cells have printed, {"do": "shot", "path": …} writes a picture. Answers have "ok", or "error".
// Takes the browser from the variable CHROMIUM.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { countPixels } from "./png.mjs";

const [notebookUrl] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const isOurs = (url) => ["127.0.0.1", "localhost"].includes(new URL(url).hostname);

function watch(page) {
  page.on("console", (message) => {
    if (message.type() === "error") print({ trouble: message.text().slice(0, 500) });
  });
  page.on("pageerror", (error) => print({ trouble: String(error).slice(0, 500) }));
}

// The viewer may have the focus: it takes it when it starts.
async function select(page, cell) {
  await page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-InputPrompt").click();
  await page.keyboard.press("Escape");
}

// Keys are ignored as long as the page is not quite ready: pressed until the number of the cell changes.
async function run(page, { cell }) {
  const prompt = page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-InputPrompt");
  const before = await prompt.innerText();
  for (let attempt = 0; attempt < 30; attempt++) {
    await select(page, cell);
    await page.keyboard.press("Shift+Enter");
    for (let wait = 0; wait < 20; wait++) {
      const now = await prompt.innerText();
      if (/\[(\*|\d+)\]/.test(now) && now !== before) return {};
      await page.waitForTimeout(100);
    }
  }
  throw new Error(`cell ${cell} does not run`);
}

async function picture(page) {
  const viewer = page.locator(".rerun_notebook canvas").last();
  if (await viewer.count()) await viewer.scrollIntoViewIfNeeded();
  return page.screenshot({ timeout: 120_000 });
}

async function restart(page) {
  await select(page, 0);
  await page.keyboard.press("0");
  await page.keyboard.press("0");
  await page.locator(".jp-Dialog button.jp-mod-warn").click();
  await page.locator(".jp-Dialog").waitFor({ state: "detached" });
  return {};
}

const commands = {
  run,
  restart,
  count: async (page, { rgb }) => ({ pixels: countPixels(await picture(page), rgb) }),
  text: async (page) => ({ text: await page.locator(".jp-OutputArea-output").allInnerTexts() }),
  shot: async (page, { path }) => {
    await writeFile(path, await picture(page));
    return {};
  },
};

const profile = await mkdtemp(join(tmpdir(), "lab-"));
try {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1100, height: 1000 },
    // There is no graphics card: everything is drawn by the processor.
    args: [
      ...["--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"],
      ...["--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
  try {
    // Nothing of the internet may matter here.
    await context.route((url) => url.protocol.startsWith("http") && !isOurs(url.href), (route) => route.abort());
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    watch(page);
    await page.goto(notebookUrl);
    await page.locator(".jp-Notebook .jp-Cell").first().waitFor();
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
    print({ ok: true });
    for await (const line of createInterface({ input: process.stdin })) {
      const order = JSON.parse(line);
      try {
        print({ ok: true, ...(await commands[order.do](page, order)) });
      } catch (error) {
        print({ error: String(error).slice(0, 2000) });
      }
    }
  } finally {
    await context.close();
  }
} catch (error) {
  print({ error: String(error).slice(0, 2000) });
} finally {
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
