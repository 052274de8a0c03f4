// Wallets by EIP-6963: they announce themselves, somebody chooses one, it shows and signs each transaction.

const wallets = new Map();
let chosen = null;
let address = null;
const connect = document.getElementById("connect");
const dialog = document.getElementById("wallets");

// Remembered from page to page: a wallet that was allowed once is asked, without a word to anybody, who it is.
const store = {
  get: () => { try { return localStorage.getItem("wallet"); } catch { return null; } },
  set: (name) => { try { localStorage.setItem("wallet", name); } catch { /* asked for again on the next page, then */ } },
};

addEventListener("eip6963:announceProvider", async (event) => {
  const { info, provider } = event.detail ?? {};
  if (!info?.uuid || !provider?.request || wallets.has(info.uuid)) return;
  wallets.set(info.uuid, { info, provider });
  if (chosen || !info.rdns || info.rdns !== store.get()) return;
  try {
    const accounts = await provider.request({ method: "eth_accounts" });
    if (!chosen && accounts?.length) await adopt({ info, provider }, accounts[0]);
  } catch { /* locked, then: the button asks */ }
});
dispatchEvent(new Event("eip6963:requestProvider"));

async function adopt(entry, account) {
  if (chosen !== entry.provider) {
    chosen = entry.provider;
    chosen.on?.("accountsChanged", (accounts) => become(accounts?.[0] ?? null));
    chosen.on?.("chainChanged", (id) => onChain(id));
  }
  store.set(entry.info.rdns ?? "");
  become(account);
  onChain(await ask("eth_chainId"));
}

function become(account) {
  address = account;
  if (!account) { chosen = null; store.set(""); }
  connect.textContent = account ? `${account.slice(0, 6)}…${account.slice(-4)}` : "Connect wallet";
  if (account) connect.setAttribute("aria-label", `Connected: ${account}`);
  else connect.removeAttribute("aria-label");
  showParts();
  dispatchEvent(new CustomEvent("account", { detail: account }));
}

function onChain(id) {
  const other = Boolean(address) && BigInt(id) !== BigInt(document.body.dataset.chain);
  connect.classList.toggle("elsewhere", other);
  connect.title = other ? `The wallet is on chain ${BigInt(id)}, this market on chain ${document.body.dataset.chain}` : "";
}

// Parts of a page that are some accounts' only are shown to nobody else, once it is known who looks.
function showParts() {
  const mine = address?.toLowerCase();
  for (const part of document.querySelectorAll("[data-for]")) part.hidden = Boolean(mine) && !part.dataset.for.split(" ").includes(mine);
  for (const part of document.querySelectorAll("[data-not-for]")) part.hidden = !mine || part.dataset.notFor.split(" ").includes(mine);
}

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

export const account = () => address;
export const ask = (method, ...params) => chosen.request({ method, params });

// Whether there is a wallet with an account, on the market's chain; asks for both.
export async function ready() {
  if (!chosen || !address) {
    const known = [...wallets.values()].find(({ info }) => info.rdns && info.rdns === store.get());
    const entry = known ?? (await choose());
    if (!entry) return false;
    const accounts = await entry.provider.request({ method: "eth_requestAccounts" });
    if (!accounts?.length) return false;
    await adopt(entry, accounts[0]);
  }
  await toChain();
  return true;
}

export const REFUSED_BY_USER = 4001;

// Onto the market's chain, which the wallet is told of where it does not know it.
async function toChain() {
  const { chain, network, rpc } = document.body.dataset;
  const chainId = `0x${Number(chain).toString(16)}`;
  const there = async () => BigInt(await ask("eth_chainId")) === BigInt(chainId);
  if (await there()) return;
  try {
    await ask("wallet_switchEthereumChain", { chainId });
  } catch (error) {
    if (error?.code === REFUSED_BY_USER) throw error;
    if (!rpc) throw new Error(`Your wallet does not know chain ${chain} (${network}): add it there, then try again`);
    const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
    await ask("wallet_addEthereumChain", { chainId, chainName: `Assay ${network}`, rpcUrls: [rpc], nativeCurrency });
    if (!(await there())) await ask("wallet_switchEthereumChain", { chainId });
  }
  if (!(await there())) throw new Error(`Your wallet is not on chain ${chain} (${network}): switch it there, then try again`);
  onChain(chainId);
}

connect.addEventListener("click", async () => {
  try {
    if (address && !connect.classList.contains("elsewhere")) location.href = `/accounts/${address}`;
    else await ready();
  } catch (error) { connect.title = reason(error); }
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
        // A lease that a text names leads to its page.
        link() {
          const path = /\/leases\/\d+/.exec(item.textContent)?.[0];
          if (path) item.append(" ", Object.assign(document.createElement("a"), { href: path, textContent: "Go there" }));
        },
      };
    },
  };
}

export const reason = (error) => String(error?.message ?? error).slice(0, 300);
