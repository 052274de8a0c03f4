// Forms that end in transactions: the market encodes them, the page names each, the wallet shows and sends it.
import { account, ask, ready, reason, receipt, stepsIn } from "./wallet.mjs";

// LeaseOpened(uint256 indexed leaseId, ...): the id is the first topic behind the signature.
const leaseOf = (found, escrow) => {
  const log = found.logs.find((l) => l.address.toLowerCase() === escrow.toLowerCase() && l.topics.length === 4);
  return log ? BigInt(log.topics[1]).toString() : null;
};

// What a contract would answer, before the wallet is bothered: null, or its reason in words.
async function refusal(transaction) {
  try {
    await ask("eth_call", transaction, "latest");
    return null;
  } catch (error) {
    const data = error?.data?.data ?? error?.data?.originalError?.data ?? error?.data;
    if (!/^0x([0-9a-f]{2}){4,}$/i.test(data ?? "")) return reason(error);
    const answer = await fetch(`/send/refusal?data=${data.slice(0, 2050)}`);
    return answer.ok ? (await answer.json()).reason : reason(error);
  }
}

async function run(plan, steps) {
  const items = plan.steps.map((step) => steps.add(step.title));
  let last = null;
  for (const [n, step] of plan.steps.entries()) {
    const transaction = { from: account(), to: step.to, data: step.data };
    const refused = await refusal(transaction);
    if (refused) { items[n].say("failed", `${step.title}: the contract would refuse: ${refused}`); return null; }
    items[n].say("waiting", `${step.title}: confirm ${step.function} in the wallet`);
    let hash;
    try {
      hash = await ask("eth_sendTransaction", transaction);
    } catch (error) { items[n].say("failed", `${step.title}: ${reason(error)}`); return null; }
    items[n].say("waiting", `${step.title}: sent, waiting for its block`);
    const found = await receipt(hash);
    if (BigInt(found.status) !== 1n) { items[n].say("failed", `${step.title}: the contract refused it (${hash})`); return null; }
    items[n].say("done", `${step.title}: done in block ${Number(found.blockNumber)}, ${Number(found.gasUsed ?? 0).toLocaleString("en")} gas`);
    last = { block: Number(found.blockNumber), lease: step.function.startsWith("LeaseEscrow.open") ? leaseOf(found, step.to) : null };
  }
  return last;
}

// The plan without its approval, where the wallet can sign a permit instead; as it is where it cannot.
async function permitted(plan, address, steps) {
  if (!plan.permit || !globalThis.keccak256) return plan;
  const { permitFor } = await import("./permits.mjs");
  const step = steps.add("Looking whether a signature is enough to let the escrow take the deposit", "waiting");
  let found;
  try {
    found = await permitFor(
      { ...plan.permit, owner: account(), chainId: document.body.dataset.chain },
      () => step.say("waiting", "Let the escrow take the deposit: sign it in the wallet, which costs nothing"),
    );
  } catch (error) { step.say("failed", `Let the escrow take the deposit: ${reason(error)}`); return null; }
  if (!found) { step.remove(); return plan; }
  if (found.allowed) { step.say("done", "The escrow may take the deposit already"); return { ...plan, steps: plan.steps.slice(1) }; }
  const answer = await fetch(`${address}&${new URLSearchParams(found)}`);
  const other = await answer.json();
  if (!answer.ok) { step.say("failed", other.error ?? "The market has no answer"); return null; }
  step.say("done", "Let the escrow take the deposit: signed");
  return other;
}

// What cannot be taken back is asked about in the words that stand beside its button.
function confirmed(form, button) {
  const dialog = document.body.appendChild(document.createElement("dialog"));
  dialog.setAttribute("aria-labelledby", "confirm-title");
  const title = Object.assign(document.createElement("h2"), { id: "confirm-title", textContent: `${button.textContent}?` });
  const note = Object.assign(document.createElement("p"), { textContent: form.querySelector(".muted")?.textContent ?? "" });
  const choice = Object.assign(document.createElement("form"), { method: "dialog", className: "inline" });
  const yes = Object.assign(document.createElement("button"), { value: "yes", textContent: button.textContent, className: "danger" });
  choice.append(yes, Object.assign(document.createElement("button"), { value: "no", textContent: "Not now", autofocus: true }));
  dialog.append(title, note, choice);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); }));
}

async function send(form) {
  const button = form.querySelector('button[type="submit"]');
  if (form.dataset.confirm !== undefined && !(await confirmed(form, button))) return;
  const steps = stepsIn(form.querySelector(".steps"));
  const note = steps.add("Waiting for the wallet", "waiting");
  button.disabled = true;
  try {
    if (!(await ready())) { note.say("failed", "No wallet was chosen"); return; }
    if (form.dataset.send.startsWith("/send/open/") && document.querySelector("[data-pod]")) await (await import("./pod.mjs")).choice();
    const query = new URLSearchParams({ account: account() });
    if (form.elements.hours) query.set("seconds", window.secondsOf(form));
    for (const field of form.querySelectorAll("[data-field]")) query.set(field.name, field.value);
    const address = `${form.dataset.send}?${query}`;
    const answer = await fetch(address);
    let plan = await answer.json();
    if (!answer.ok) { note.say("failed", plan.error ?? "The market has no answer"); note.link(); return; }
    note.remove();
    plan = await permitted(plan, address, steps);
    if (!plan) return;
    const done = await run(plan, steps);
    if (done?.lease) {
      // One form opens one lease: another would lock another deposit.
      button.dataset.used = "";
      dispatchEvent(new CustomEvent("leaseopened", { detail: done.lease }));
    }
    else if (done && form.dataset.then === "balance") dispatchEvent(new Event("balance"));
    else if (done && form.dataset.then) {
      steps.add("Waiting until the market sees it", "waiting");
      addEventListener("block", (event) => { if (event.detail.block >= done.block) location.reload(); });
    }
  } catch (error) {
    note.say("failed", reason(error));
  } finally { button.disabled = button.dataset.used !== undefined; }
}

for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}

// What a wallet has, beside what a lease costs: of the token that it is paid in, and of what transactions cost; and
// whether the token takes a signature in place of the first of them.
const BALANCE_OF = "0x70a08231"; // balanceOf(address)
const balance = document.querySelector("[data-balance]");
const priced = document.querySelector("form[data-rate]");

async function showBalance() {
  if (!account() || !priced) return;
  const data = BALANCE_OF + account().slice(2).toLowerCase().padStart(64, "0");
  let has, gas;
  try {
    has = BigInt(await ask("eth_call", { to: balance.dataset.token, data }, "latest"));
    gas = BigInt(await ask("eth_getBalance", account(), "latest"));
  } catch { balance.textContent = "the wallet does not say"; return; }
  const cost = (BigInt(priced.dataset.rate) * BigInt(window.secondsOf(priced)) + 10n ** 18n - 1n) / 10n ** 18n;
  balance.textContent = `${window.shown(has, Number(priced.dataset.decimals))} ${priced.dataset.symbol}`;
  if (has < cost) balance.append(Object.assign(document.createElement("strong"), { className: "bad", textContent: " – less than the total" }));
  if (gas === 0n) balance.append(Object.assign(document.createElement("strong"), { className: "bad", textContent: " – and no ETH to pay for transactions" }));
}

async function showPrompts(event) {
  const told = document.querySelector("[data-opening]");
  if (!event.detail || !told || !globalThis.keccak256) return;
  const { permitDomain } = await import("./permits.mjs");
  const takes = await permitDomain(balance.dataset.token, document.body.dataset.chain);
  told.textContent = takes ? told.dataset.opening : told.dataset.without;
}

if (balance) addEventListener("account", showPrompts);
if (balance) for (const name of ["account", "cost", "balance"]) addEventListener(name, showBalance);
