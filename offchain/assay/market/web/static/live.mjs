// What moves by itself on every page: how far the market is, ages, and times in the reader's own time zone. One event
// stream serves all tabs of a browser that are looked at, and none the others: over HTTP/1.1 a browser opens six
// connections to a host, and a stream in each tab would leave none to load pages with.

const byId = (id) => document.getElementById(id);
const STREAM = "/v1/stream", TRY_AGAIN_MS = 30_000;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("assay-stream") : null;
let source = null, giveUp = null, retry = 0;
let last = null, heardAt = 0, lost = false;

function heard(at) {
  const moved = last?.block !== at.block;
  last = at;
  heardAt = performance.now();
  lost = false;
  show();
  if (moved) dispatchEvent(new CustomEvent("block", { detail: at }));
}

function tell(message) {
  if ("at" in message) heard(message.at);
  else { lost = true; show(); }
  channel?.postMessage(message);
}

function listen() {
  source = new EventSource(STREAM);
  source.addEventListener("at", (message) => tell({ at: { ...JSON.parse(message.data), heard: Date.now() } }));
  source.addEventListener("error", () => {
    tell({ lost: true });
    // Refused rather than broken off: the browser does not try again by itself.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(() => { if (source) listen(); }, TRY_AGAIN_MS);
  });
}

function join() {
  if (giveUp || document.visibilityState === "hidden" || !("EventSource" in window)) return;
  const leaving = new AbortController();
  giveUp = () => leaving.abort();
  channel?.postMessage({ ask: true });
  // Locks are there in secure contexts only: without them each tab that is looked at has its own stream.
  if (!navigator.locks) { listen(); return; }
  navigator.locks.request("assay-stream", { signal: leaving.signal }, () => new Promise((resolve) => {
    if (leaving.signal.aborted) { resolve(); return; }
    leaving.signal.addEventListener("abort", resolve);
    listen();
  })).catch(() => { /* left before its turn came */ });
}

function leave() {
  giveUp?.();
  giveUp = null;
  clearTimeout(retry);
  source?.close();
  source = null;
}

channel?.addEventListener("message", ({ data }) => {
  if (data.ask) { if (source && last) channel.postMessage({ at: last }); }
  else if (data.at) {
    // What was asked for may be older than this moment.
    heard({ ...data.at, lagSeconds: data.at.lagSeconds + Math.round((Date.now() - data.at.heard) / 1000) });
  } else { lost = true; show(); }
});
document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? leave() : join()));
addEventListener("pagehide", leave);
addEventListener("pageshow", join);

// A chain that stands still is said on every page, and nothing is rented on it.
function show() {
  if (!last) return;
  const age = last.lagSeconds + Math.round((performance.now() - heardAt) / 1000);
  const stale = age > Number(document.body.dataset.staleAfter);
  byId("at-block").textContent = last.block.toLocaleString("en");
  byId("at-lag").textContent = `${lasting(age)} old${last.lagBlocks ? `, ${last.lagBlocks} blocks behind` : ""}${lost ? ", connection lost" : ""}`;
  byId("at-dot").className = `dot ${stale || lost ? "warn" : "good"}`;
  byId("stale").hidden = !stale;
  byId("stale-age").textContent = lasting(age);
  document.body.classList.toggle("stale", stale);
  for (const button of document.querySelectorAll('form[data-send^="/send/open/"] [type=submit]')) {
    if (stale) button.disabled = true;
    else if (button.dataset.used === undefined) button.disabled = false;
  }
}

// Two parts at most, as the server writes them.
function lasting(seconds) {
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  return parts.filter(([n]) => n).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ") || "0 s";
}

const local = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});
const elsewhere = local.resolvedOptions().timeZone !== "UTC";

function times() {
  for (const time of document.querySelectorAll("time[data-clock]")) {
    if (!elsewhere || time.dataset.clock === "local") continue;
    time.dataset.clock = "local";
    time.title = time.textContent;
    time.textContent = local.format(new Date(time.dateTime));
  }
}

function ages() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000);
    const text = seconds >= 0 ? `${lasting(seconds)} ago` : `in ${lasting(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

times();
document.addEventListener("htmx:afterSwap", times);
setInterval(() => { show(); ages(); }, 1000);
