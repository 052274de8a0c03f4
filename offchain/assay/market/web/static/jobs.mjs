// Work on a running lease: a command, the jobs so far, and a log that grows while it is read.
import { request } from "./provider.mjs";
import { ready, reason } from "./wallet.mjs";

const MOST_SHOWN = 200_000; // characters of a log kept on the page

async function follow(lease, job, log) {
  log.hidden = false;
  log.textContent = "";
  const answer = await request(lease, "GET", `/jobs/${job}/output?offset=0&follow=true`);
  const text = new TextDecoder();
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    log.textContent = (log.textContent + text.decode(value, { stream: true })).slice(-MOST_SHOWN);
    log.scrollTop = log.scrollHeight;
  }
}

async function list(lease, place, log) {
  const { jobs } = await (await request(lease, "GET", "/jobs")).json();
  const items = jobs.map((job) => {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Log" });
    button.addEventListener("click", () => act(place, () => follow(lease, job.jobId, log)));
    item.append(`${job.jobId}: ${job.status}${job.exitCode === null || job.exitCode === undefined ? "" : `, exit ${job.exitCode}`} `, button);
    return item;
  });
  const shown = place.querySelector("[data-job-list]");
  shown.replaceChildren(...items);
  if (!items.length) shown.textContent = "No jobs yet.";
}

async function act(place, work) {
  const output = place.querySelector("output");
  output.textContent = "";
  try {
    if (!(await ready())) throw new Error("No wallet was chosen");
    await work();
  } catch (error) { output.textContent = reason(error); }
}

for (const place of document.querySelectorAll("[data-jobs]")) {
  const lease = { id: place.dataset.lease, chainId: Number(place.dataset.chain), escrow: place.dataset.escrow };
  const log = place.querySelector("pre.log");
  place.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const command = event.target.elements.command.value;
    act(place, async () => {
      const { jobId } = await (await request(lease, "POST", "/jobs", { command: ["sh", "-c", command] })).json();
      await follow(lease, jobId, log);
    });
  });
  place.querySelector("[data-list]").addEventListener("click", () => act(place, () => list(lease, place, log)));
}
