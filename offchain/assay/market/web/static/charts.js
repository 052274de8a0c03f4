"use strict";
// uPlot charts; each is a picture of a table that the page also has.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw(place) {
  const { data, series } = DATA[place.dataset.chart](place);
  place.replaceChildren();
  if (!data[0].length) return;
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--soft"), grid, ticks: grid, font: "12px system-ui" };
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  const whole = (_, values) => values.map((v) => (Number.isInteger(v) ? v : ""));
  new uPlot({
    width: place.clientWidth,
    height: 220,
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, (high || 1) * 1.1] } },
    axes: [{ ...axis, values: whole }, { ...axis, size: 64, values: (_, values) => values.map((v) => short.format(v)) }],
    series: [{ label: "Epoch" }, ...series],
    legend: { show: false },
    cursor: { points: { size: 7 } },
  }, data, place);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Chart of ${series.map((s) => s.label).join(" and ")} by epoch, ${data[0].length} epochs`);
}

const line = (label, name, more = {}) => ({ label, stroke: colour(name), width: 2, points: { size: 6, fill: colour(name) }, ...more });

const DATA = {
  score(place) {
    const rows = JSON.parse(place.dataset.series);
    return {
      data: [rows.map((r) => r[0]), rows.map((r) => (r[3] === 1 ? r[2] : null))],
      series: [line("score in GOPS", "--accent", { fill: colour("--tint") })],
    };
  },
  lines(place) {
    const lines = JSON.parse(place.dataset.lines);
    return {
      data: [JSON.parse(place.dataset.epochs), ...lines.map(([, , values]) => values)],
      series: lines.map(([label, name]) => line(label, name, lines.length === 1 ? { fill: colour("--tint") } : {})),
    };
  },
  rewards(place) {
    return {
      data: [JSON.parse(place.dataset.series), JSON.parse(place.dataset.values).map((v) => Number(BigInt(v) / 10n ** 12n) / 1e6)],
      series: [line("tokens earned", "--accent", { fill: colour("--tint") })],
    };
  },
};

const all = () => document.querySelectorAll("[data-chart]").forEach(draw);
addEventListener("DOMContentLoaded", all);
if (document.readyState !== "loading") all();
addEventListener("themechange", all);
let pending;
addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(all, 150); });
