"use strict";
// Wallets by EIP-6963: they announce themselves, somebody chooses one, it shows and signs each transaction.

const wallets = new Map();
let wallet = null;
let account = null;
const connect = document.getElementById("connect");
const dialog = document.getElementById("wallets");

addEventListener("eip6963:announceProvider", (event) => {
  const { info, provider } = event.detail ?? {};
  if (info?.uuid && provider?.request) wallets.set(info.uuid, { info, provider });
});
dispatchEvent(new Event("eip6963:requestProvider"));

function choose() {
  return new Promise((resolve) => {
    const list = document.getElementById("wallet-list");
    document.getElementById("wallet-none").hidden = wallets.size > 0;
    list.replaceChildren(...[...wallets.values()].map((entry) => {
      const button = document.createElement("button");
      button.type = "button";
      if (/^data:image\//.test(entry.info.icon ?? "")) {
        button.append(Object.assign(document.createElement("img"), { src: entry.info.icon, alt: "", width: 28, height: 28 }));
      }
      button.append(String(entry.info.name).slice(0, 60));
      button.addEventListener("click", () => { resolve(entry); dialog.close(); });
      return button;
    }));
    dialog.addEventListener("close", () => resolve(null), { once: true });
    dialog.showModal();
  });
}

async function ready() {
  if (wallet && account) return true;
  const entry = await choose();
  if (!entry) return false;
  const accounts = await entry.provider.request({ method: "eth_requestAccounts" });
  if (!accounts?.length) return false;
  wallet = entry.provider;
  account = accounts[0];
  connect.textContent = `${account.slice(0, 6)}…${account.slice(-4)}`;
  connect.setAttribute("aria-label", `Connected: ${account}`);
  return true;
}

connect.addEventListener("click", async () => {
  if (account) { location.href = `/accounts/${account}`; return; }
  try { await ready(); } catch (error) { connect.title = String(error.message ?? error); }
});

async function rightChain() {
  const at = (await (await fetch("/v1/network")).json()).at;
  const wanted = `0x${at.chainId.toString(16)}`;
  if ((await wallet.request({ method: "eth_chainId" })) === wanted) return;
  await wallet.request({ method: "wallet_switchEthereumChain", params: [{ chainId: wanted }] });
}

async function receipt(hash) {
  for (;;) {
    const found = await wallet.request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

// LeaseOpened(uint256 indexed leaseId, ...): the id is the first topic behind the signature.
const leaseOf = (found, escrow) => {
  const log = found.logs.find((l) => l.address.toLowerCase() === escrow.toLowerCase() && l.topics.length === 4);
  return log ? BigInt(log.topics[1]).toString() : null;
};

async function send(form) {
  const list = form.querySelector(".steps");
  const button = form.querySelector('button[type="submit"], .rent');
  const say = (item, state, text) => { item.dataset.state = state; item.textContent = text; };
  list.hidden = false;
  list.replaceChildren();
  const note = list.appendChild(document.createElement("li"));
  button.disabled = true;
  try {
    say(note, "waiting", "Waiting for the wallet");
    if (!(await ready())) { say(note, "failed", "No wallet was chosen"); return; }
    await rightChain();
    const query = form.elements.hours ? `?seconds=${window.secondsOf(form)}` : "";
    const answer = await fetch(form.dataset.send + query);
    const plan = await answer.json();
    if (!answer.ok) { say(note, "failed", plan.error ?? plan.detail ?? "The market has no answer"); return; }
    note.remove();
    const items = plan.steps.map((step) => {
      const item = list.appendChild(document.createElement("li"));
      item.textContent = step.title;
      return item;
    });
    for (const [n, step] of plan.steps.entries()) {
      say(items[n], "waiting", `${step.title}: confirm ${step.function} in the wallet`);
      let hash;
      try {
        hash = await wallet.request({ method: "eth_sendTransaction", params: [{ from: account, to: step.to, data: step.data }] });
      } catch (error) { say(items[n], "failed", `${step.title}: ${error.message ?? "refused"}`); return; }
      say(items[n], "waiting", `${step.title}: sent, waiting for its block`);
      const found = await receipt(hash);
      if (BigInt(found.status) !== 1n) { say(items[n], "failed", `${step.title}: the contract refused it (${hash})`); return; }
      say(items[n], "done", `${step.title}: done in block ${Number(found.blockNumber)}`);
      const lease = leaseOf(found, step.to);
      if (lease && step.function === "LeaseEscrow.open") {
        for (const place of document.querySelectorAll("[data-lease]")) place.textContent = lease;
        for (const link of document.querySelectorAll("[data-lease-link]")) { link.href = `/leases/${lease}`; link.hidden = false; }
      }
    }
  } catch (error) {
    say(note.isConnected ? note : list.lastChild, "failed", String(error.message ?? error));
  } finally { button.disabled = false; }
}

for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}
