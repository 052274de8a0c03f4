// Wallets by EIP-6963: they announce themselves, somebody chooses one, it shows and signs each transaction.

const wallets = new Map();
let chosen = null;
let address = null;
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

// Chosen once, a wallet is asked again on the next page without another choice, until the tab is closed.
const remembered = () => [...wallets.values()].find(({ info }) => info.rdns && info.rdns === sessionStorage.getItem("wallet"));

export const account = () => address;
export const ask = (method, ...params) => chosen.request({ method, params });

// Whether there is a wallet with an account, on the market's chain; asks for both.
export async function ready() {
  if (!chosen || !address) {
    const entry = remembered() ?? (await choose());
    if (!entry) return false;
    const accounts = await entry.provider.request({ method: "eth_requestAccounts" });
    if (!accounts?.length) return false;
    chosen = entry.provider;
    address = accounts[0];
    sessionStorage.setItem("wallet", entry.info.rdns ?? "");
    connect.textContent = `${address.slice(0, 6)}…${address.slice(-4)}`;
    connect.setAttribute("aria-label", `Connected: ${address}`);
  }
  const wanted = `0x${Number(document.body.dataset.chain).toString(16)}`;
  if ((await ask("eth_chainId")) !== wanted) await ask("wallet_switchEthereumChain", { chainId: wanted });
  return true;
}

connect.addEventListener("click", async () => {
  if (address) { location.href = `/accounts/${address}`; return; }
  try { await ready(); } catch (error) { connect.title = String(error.message ?? error); }
});

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function receipt(hash) {
  for (;;) {
    const found = await ask("eth_getTransactionReceipt", hash);
    if (found) return found;
    await pause(700);
  }
}

// A list of steps, each with its state: waiting, done, failed.
export function stepsIn(list) {
  list.hidden = false;
  list.replaceChildren();
  return {
    add(text, state = "") {
      const item = list.appendChild(document.createElement("li"));
      item.dataset.state = state;
      item.textContent = text;
      return {
        say(next, words) { item.dataset.state = next; item.textContent = words; },
        remove() { item.remove(); },
      };
    },
  };
}

export const reason = (error) => String(error?.message ?? error).slice(0, 300);
