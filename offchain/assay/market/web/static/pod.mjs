// A lease's pod: what it is to start from and whose key it lets in, chosen before anything is paid; how it stands.
import { request } from "./provider.mjs";
import { account, pause, ready, reason } from "./wallet.mjs";

const LOOK_MS = 2000;
const STALL_MS = 900_000; // in which nothing of an image comes
const KEY = /^(ssh-ed25519|ecdsa-sha2-nistp256|sk-ssh-ed25519@openssh\.com|ssh-rsa) [A-Za-z0-9+/=]+( [^\r\n]*)?$/;
const HOST = /^[a-z0-9_][a-z0-9._:-]*$/;
const HOST_KEY = /^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/;

// A public key as it was pasted; empty without one. Throws for anything else, above all for a private one.
export function publicKey(text) {
  const line = text.trim();
  if (/PRIVATE/.test(line)) throw new Error("That is a private key, which nobody else may see: paste the line of the file that ends in .pub");
  if (line && !KEY.test(line)) throw new Error("The SSH key is none that providers take: one line as in id_ed25519.pub, of type ed25519, ECDSA on P-256 or RSA");
  return line;
}

// What is typed into a shell: everything in it came from a provider, and is held to its form first.
export function sshLines(host, lease, { port, user, hostKey }) {
  const key = String(hostKey).split(" ").slice(0, 2).join(" ");
  if (!HOST.test(host)) throw new Error("the provider's address is none that a command line should have");
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error("the provider names no SSH port");
  if (user !== `lease-${lease}`) throw new Error("the provider names another SSH user than the lease's");
  if (!HOST_KEY.test(key)) throw new Error("the provider names no SSH host key");
  return [`echo '[${host}]:${port} ${key}' >> ~/.ssh/known_hosts`, `ssh -p ${port} ${user}@${host}`];
}

// What the fields say, held to the providers' rules by the market; null where there are none on the page.
export async function choice() {
  const place = document.querySelector("[data-pod]");
  if (!place) return null;
  const value = (id) => document.getElementById(id).value.trim();
  const key = publicKey(value("ssh-key"));
  const answer = await fetch(`/send/pod?${new URLSearchParams({ image: value("image"), template: value("template") })}`);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? "The market has no answer");
  return { pod: told.pod, key };
}

export function pullText({ phase, pull }) {
  if (phase === "unpacking") return "image fetched, being unpacked";
  if (!pull?.totalBytes) return "image being looked for";
  const mib = (bytes) => Math.floor(bytes / 2 ** 20).toLocaleString("en");
  return `image ${Math.floor((100 * pull.bytes) / pull.totalBytes)} %: ${mib(pull.bytes)} of ${mib(pull.totalBytes)} MiB, ${pull.layersDone} of ${pull.layers} layers`;
}

// Before the handover: the key is let in and the image is there, or the renter is told and nothing streams.
export async function prepare(lease, chosen, steps) {
  if (chosen?.key) {
    const step = steps.add("Letting your SSH key in", "waiting");
    await letIn(lease, chosen.key);
    step.say("done", "Your SSH key is let in");
  }
  if (!chosen?.pod) return;
  const step = steps.add("The provider looks at the image", "waiting");
  let shown = await (await request(lease, "PUT", "/pod", chosen.pod)).json();
  let came = -1, moved = Date.now();
  while (shown.phase === "pulling" || shown.phase === "unpacking") {
    step.say("waiting", pullText(shown));
    await pause(LOOK_MS);
    shown = await (await request(lease, "GET", "/pod")).json();
    if ((shown.pull?.bytes ?? 0) !== came) { came = shown.pull?.bytes ?? 0; moved = Date.now(); }
    if (Date.now() - moved > STALL_MS) throw new Error("The image has stood still for 15 minutes: cancel, or choose another");
  }
  if (shown.phase !== "ready") throw new Error(`The image could not be had: ${shown.failure ?? "the provider has forgotten it, choose it again"}`);
  step.say("done", `The provider has the image ${shown.image ?? ""}`);
}

const placeOf = (lease) => `ssh ${lease.chainId} ${lease.escrow} ${lease.id} ${account()}`;

// Where SSH goes, kept in this browser: providers tell it to whoever brings a key.
async function letIn(lease, key) {
  const told = await (await request(lease, "POST", "/ssh-keys", { publicKey: key })).json();
  const { port, user, hostKey } = told;
  try { localStorage.setItem(placeOf(lease), JSON.stringify({ port, user, hostKey })); } catch { /* asked for again, then */ }
  return { port, user, hostKey };
}

const gib = (bytes) => `${(bytes / 2 ** 30).toLocaleString("en", { maximumFractionDigits: 1 })} GiB`;

function linesOf(shown) {
  const { share } = shown;
  return [
    ["State", [shown.state, shown.reason].filter(Boolean).join(": ")],
    ["Image", shown.phase === "failed" ? `${shown.image ?? ""}: ${shown.failure}` : (shown.image ?? "the provider's own") + (shown.phase === "ready" || shown.phase === "none" ? "" : `, ${pullText(shown)}`)],
    ["Digest", shown.digest],
    ["It has", share && `${share.cores} cores, ${gib(share.memoryBytes)} memory, ${gib(share.diskBytes)} disk`],
    ["Address", shown.address && `${shown.address}, for your other pods on the same host`],
    ["Ports", shown.ports?.length ? `${shown.ports.join(", ")} on its loopback: reach one with ssh -L` : ""],
    ["Restarts", shown.restarts ? String(shown.restarts) : ""],
    ["Ends", new Date(1000 * shown.endsAt).toLocaleString()],
  ].filter(([, text]) => text);
}

for (const place of document.querySelectorAll("[data-console]")) {
  const { lease: id, chain, escrow, host } = place.dataset;
  const lease = { id, chainId: Number(chain), escrow };
  const output = place.querySelector("output");
  const form = place.querySelector("form");
  const act = async (work) => {
    output.textContent = "";
    try {
      if (!(await ready())) throw new Error("No wallet was chosen");
      await work();
    } catch (error) { output.textContent = reason(error); }
  };
  const tell = (where) => {
    const pre = place.querySelector("[data-ssh]");
    pre.querySelector("code").textContent = sshLines(host, id, where).join("\n");
    pre.hidden = false;
  };
  place.querySelector("[data-look]").addEventListener("click", () => act(async () => {
    const shown = await (await request(lease, "GET", "/pod")).json();
    const list = place.querySelector("dl");
    list.replaceChildren(...linesOf(shown).flatMap(([name, text]) => [
      Object.assign(document.createElement("dt"), { textContent: name }),
      Object.assign(document.createElement("dd"), { textContent: String(text).slice(0, 500), className: "wrap" }),
    ]));
    list.hidden = false;
  }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      const key = publicKey(form.elements.key.value);
      if (!key) throw new Error("Paste the line of your public key");
      tell(await letIn(lease, key));
    });
  });
  addEventListener("account", (event) => {
    try {
      const kept = event.detail && localStorage.getItem(placeOf(lease));
      if (kept) tell(JSON.parse(kept));
    } catch { /* told again once a key is let in */ }
  });
}
