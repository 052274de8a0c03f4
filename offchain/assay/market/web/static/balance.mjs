// What a wallet has, beside what a lease costs: of the token that it is paid in, and of what transactions cost; and
// whether the token takes a signature in place of the first of them.
import { account, ask } from "./wallet.mjs";

const BALANCE_OF = "0x70a08231"; // balanceOf(address)
const place = document.querySelector("[data-balance]");
const form = document.querySelector("form[data-rate]");

async function show() {
  if (!account() || !form) return;
  const data = BALANCE_OF + account().slice(2).toLowerCase().padStart(64, "0");
  let has, gas;
  try {
    has = BigInt(await ask("eth_call", { to: place.dataset.token, data }, "latest"));
    gas = BigInt(await ask("eth_getBalance", account(), "latest"));
  } catch { place.textContent = "the wallet does not say"; return; }
  const cost = (BigInt(form.dataset.rate) * BigInt(window.secondsOf(form)) + 10n ** 18n - 1n) / 10n ** 18n;
  place.textContent = `${window.shown(has, Number(form.dataset.decimals))} ${form.dataset.symbol}`;
  if (has < cost) place.append(Object.assign(document.createElement("strong"), { className: "bad", textContent: " – less than the total" }));
  if (gas === 0n) place.append(Object.assign(document.createElement("strong"), { className: "bad", textContent: " – and no ETH to pay for transactions" }));
}

async function prompts(event) {
  const told = document.querySelector("[data-opening]");
  if (!event.detail || !told || !globalThis.keccak256) return;
  const { permitDomain } = await import("./permits.mjs");
  const takes = await permitDomain(place.dataset.token, document.body.dataset.chain);
  told.textContent = takes ? told.dataset.opening : told.dataset.without;
}

if (place) addEventListener("account", prompts);
if (place) for (const name of ["account", "cost", "balance"]) addEventListener(name, show);
