"use strict";
// What pages do beyond being read: theme, live cost, a lease's burn-down, filters.

const byId = (id) => document.getElementById(id);

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept, then */ }
  dispatchEvent(new Event("themechange"));
});

// Amounts are integers beyond a double's precision: BigInt until they are shown.
const RATE_UNIT = 10n ** 18n;

// As the server writes amounts: so many places, or two digits of what is smaller.
function shown(amount, decimals, places = 2) {
  if (amount > 0n && places === 2 && amount * 100n < 10n ** BigInt(decimals)) return Number((Number(amount) / 10 ** decimals).toPrecision(2)).toString();
  const text = amount.toString().padStart(decimals + 1, "0");
  const whole = text.slice(0, text.length - decimals) || "0";
  const part = (decimals ? text.slice(text.length - decimals) : "").slice(0, places).padEnd(places, "0");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return part ? `${grouped}.${part}` : grouped;
}

for (const form of document.querySelectorAll("form[data-rate]")) {
  const hours = form.elements.hours;
  const update = () => {
    const seconds = secondsOf(form);
    const cost = (BigInt(form.dataset.rate) * BigInt(seconds) + RATE_UNIT - 1n) / RATE_UNIT;
    const output = form.querySelector("output");
    output.replaceChildren(Object.assign(document.createElement("b"), { textContent: shown(cost, Number(form.dataset.decimals)) }), ` ${form.dataset.symbol}`);
    for (const total of document.querySelectorAll("[data-total]")) total.textContent = shown(cost, Number(form.dataset.decimals));
    dispatchEvent(new CustomEvent("cost", { detail: { cost, decimals: Number(form.dataset.decimals), symbol: form.dataset.symbol } }));
  };
  hours.addEventListener("input", update);
  for (const preset of form.querySelectorAll("[data-hours]")) preset.addEventListener("click", () => { hours.value = preset.dataset.hours; update(); });
  update();
}

function secondsOf(form) {
  const asked = Math.ceil(Number(form.elements.hours?.value || 0) * 3600);
  return Math.min(Math.max(asked || 1, Number(form.dataset.minimum || 1)), Number(form.dataset.maximum || 31536000));
}
window.secondsOf = secondsOf;
window.shown = shown;

const burn = document.querySelector("[data-burn]");
if (burn && burn.dataset.live === "1") {
  const d = burn.dataset;
  const began = performance.now();
  const tick = () => {
    const now = Number(d.now) + (performance.now() - began) / 1000;
    const run = Math.max(0, Math.min(now, Number(d.stop)) - Number(d.start));
    const streamed = (BigInt(d.rate) * BigInt(Math.floor(run * 1000))) / (RATE_UNIT * 1000n);
    burn.querySelector("[data-streamed]").textContent = shown(streamed, Number(d.decimals), 6);
    burn.querySelector("progress").value = run;
    const left = Math.max(0, Math.round(Number(d.stop) - now));
    const parts = [[Math.floor(left / 3600), "h"], [Math.floor(left / 60) % 60, "min"], [left % 60, "s"]];
    burn.querySelector("[data-left]").textContent = left ? `${parts.filter(([n]) => n).map(([n, u]) => `${n} ${u}`).join(" ")} left` : "ran out";
    if (left) setTimeout(tick, 1000);
    else over();
  };
  // What could be done with a lease that runs is over with it; the market's next block says how it stands.
  const over = () => {
    for (const part of document.querySelectorAll("[data-while=running]")) part.hidden = true;
    byId("lease-state").textContent = "ran out";
    byId("lease-state").className = "state ended";
    addEventListener("block", (event) => { if (event.detail.timestamp >= Number(d.stop)) location.reload(); });
  };
  tick();
}

// What is wrong with a filter stands where the results would.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400 && event.detail.xhr.responseText.includes('role="alert"')) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:sendError", () => byId("results")?.prepend(Object.assign(document.createElement("p"), { className: "notice bad", textContent: "The market does not answer: these results are for the previous filters." })));

// Counts beside the facets follow the search that htmx has put in the URL.
document.addEventListener("htmx:afterSwap", async (event) => {
  if (event.target.id !== "results" || event.detail.xhr.status >= 400) return;
  const answer = await fetch(`/v1/facets${location.search}`, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const { data } = await answer.json();
  byId("show-count").textContent = data.total.toLocaleString("en");
  for (const count of document.querySelectorAll("[data-facet]")) {
    count.textContent = data.facets[count.dataset.facet]?.[count.dataset.value] ?? 0;
  }
});

// Four listings fit beside each other: a fifth cannot be ticked, rather than be left out.
document.addEventListener("change", (event) => {
  if (event.target.getAttribute("form") !== "compare") return;
  const boxes = [...document.querySelectorAll('[form="compare"][name="listing"]')];
  const ticked = boxes.filter((box) => box.checked).length;
  for (const box of boxes) box.disabled = !box.checked && ticked >= 4;
  byId("compare-button").textContent = ticked ? `Compare ${ticked}${ticked === 4 ? ", the most" : ""}` : "Compare ticked";
});

// An unticked default would otherwise come back: a form without `state` means what the server's default does.
const filters = byId("filters");
filters?.addEventListener("change", (event) => {
  if (event.target.name !== "state") return;
  const all = filters.querySelector('[name="state"][value="all"]');
  if (event.target === all && all.checked) {
    for (const box of filters.querySelectorAll('[name="state"]')) if (box !== all) box.checked = false;
  } else if (event.target.checked) all.checked = false;
}, true);
