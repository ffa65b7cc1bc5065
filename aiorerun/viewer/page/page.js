// Shows the viewer's notebook widget on a page of its own. The widget expects the model that a notebook would
// give it; `model` below is as much of one as it uses.
//
// Parameters of the page: `url` (may be repeated), `theme`, `token`, and the state of panels (`hidden`,
// `collapsed` or `expanded`) as `top_panel`, `blueprint_panel`, `selection_panel` and `time_panel`. With
// `url=web_event://` the page that embeds this one sends the recording: it gets READY, and answers with the bytes
// of an .rrd file.
//
// A page that names its recording in a `meta` element shows that one and no other, whatever `url` says.

const query = new URLSearchParams(location.search);
const recording = document.querySelector('meta[name="aiorerun-recording"]')?.content;
const embedded = !recording && query.getAll("url").some((url) => url.startsWith("web_event:"));

function fail(text) {
  const element = document.getElementById("trouble");
  element.textContent = text;
  element.hidden = false;
}

// Query strings turn a plus sign that was not encoded into a blank.
function sources() {
  if (recording) return null;
  const urls = query
    .getAll("url")
    .filter((url) => url && !url.startsWith("web_event:"))
    .map((url) => url.replace(/^rerun (https?:)/, "rerun+$1"));
  return urls.length ? urls : null;
}

function panelStates() {
  const states = {};
  for (const panel of ["top", "blueprint", "selection", "time"]) {
    const state = query.get(`${panel}_panel`);
    if (["hidden", "collapsed", "expanded"].includes(state)) states[panel] = state;
  }
  return states;
}

const values = {
  _url: sources(),
  _width: innerWidth,
  _height: innerHeight,
  _panel_states: panelStates(),
  _fallback_token: recording ? null : query.get("token"),
  _theme: query.get("theme") || undefined,
};
const listeners = new Map();

function emit(name, ...details) {
  for (const listener of listeners.get(name) ?? []) listener(...details);
}

const model = {
  get: (key) => values[key],
  set(key, value) {
    values[key] = value;
    emit(`change:${key}`, null, value);
  },
  save_changes() {},
  on(name, listener) {
    listeners.set(name, [...(listeners.get(name) ?? []), listener]);
  },
  off(name, listener) {
    listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== listener));
  },
  send: onEvent,
};

function onEvent(message) {
  if (message === "ready") {
    console.debug("EVENT ready");
    if (embedded) takeRecordings();
    if (recording) showRecording();
    return;
  }
  let event;
  try {
    event = JSON.parse(message);
  } catch {
    return;
  }
  // Once a frame is too much for a console.
  if (event.type === "time_update") return;
  console.debug(`EVENT ${message}`);
  if (event.type === "recording_open" && event.application_id) document.title = `${event.application_id} – Rerun`;
}

function takeRecordings() {
  addEventListener("message", ({ source, data }) => {
    if (source !== parent || !(data instanceof Uint8Array || data instanceof ArrayBuffer)) return;
    emit("msg:custom", { type: "rrd" }, [new Uint8Array(data)]);
  });
  // Whoever embeds the page sees no more of it than that.
  parent.postMessage("READY", "*");
}

async function showRecording() {
  const notice = document.getElementById("notice");
  const { follow } = await import("./live.js");
  await follow(new URL(recording, location.href), {
    data: (piece) => emit("msg:custom", { type: "rrd" }, [piece]),
    text(text) {
      notice.textContent = text;
      notice.hidden = !text;
    },
  });
}

addEventListener("resize", () => {
  model.set("_width", innerWidth);
  model.set("_height", innerHeight);
});

try {
  const { default: widget } = await import("./widget.js");
  await widget.render({ model, el: document.getElementById("viewer") });
} catch (error) {
  fail(`The viewer could not be loaded.\n\n${error}`);
}
