// ERC-2612: an approval that the wallet signs in place of a transaction. What is signed rests on the token's own words,
// read through the wallet's node; which tokens' words those are is decided as in `assay.renter.money.permits`.
import { ascii, bytesOf, hexOf, joined, keccak, numberOf, same, word } from "./bytes.mjs";
import { ask as askWallet, REFUSED_BY_USER } from "./wallet.mjs";

const VALID_S = 3600;
const MAX_ANSWER = 1 << 14;
const KEY_SIGNATURE = 65; // r, s and v; a contract wallet answers with whatever it takes itself
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const FIELDS = 0x0f; // ERC-5267's bits of exactly these four
const TYPES = {
  EIP712Domain: [
    { name: "name", type: "string" }, { name: "version", type: "string" },
    { name: "chainId", type: "uint256" }, { name: "verifyingContract", type: "address" },
  ],
  Permit: [
    { name: "owner", type: "address" }, { name: "spender", type: "address" }, { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" }, { name: "deadline", type: "uint256" },
  ],
};

const called = (signature, ...parts) => hexOf(joined(keccak(ascii(signature)).slice(0, 4), ...parts));

// What a view answers, null where it does not.
async function read(ask, token, signature, ...values) {
  try {
    const answer = bytesOf(await ask("eth_call", { to: token, data: called(signature, ...values.map(word)) }, "latest"));
    return answer.length && answer.length <= MAX_ANSWER ? answer : null;
  } catch { return null; }
}

const wordAt = (bytes, n) => bytes.slice(32 * n, 32 * n + 32);

// The text whose place is told by the n-th word. Throws where there is none, or none of UTF-8.
function textAt(bytes, n) {
  const at = Number(numberOf(wordAt(bytes, n)));
  const length = Number(numberOf(bytes.slice(at, at + 32)));
  const text = bytes.slice(at + 32, at + 32 + length);
  if (text.length !== length) throw new Error("cut short");
  return new TextDecoder("utf-8", { fatal: true }).decode(text);
}

function told(bytes, n) {
  try { return bytes && textAt(bytes, n); } catch { return null; }
}

// The domain in which a token takes permits, on this chain and at this address; null where it tells none.
export async function permitDomain(token, chainId, ask = askWallet) {
  const fields = await read(ask, token, "eip712Domain()");
  if (fields?.length >= 7 * 32) {
    const [name, version] = [told(fields, 1), told(fields, 2)];
    const own = fields[0] === FIELDS && numberOf(wordAt(fields, 3)) === BigInt(chainId) && numberOf(wordAt(fields, 4)) === BigInt(token);
    return own && name !== null && version !== null ? { name, version, chainId: Number(chainId), verifyingContract: token } : null;
  }
  // Tokens from before ERC-5267, USDC among them: what they hash must be what the wallet would.
  const separator = await read(ask, token, "DOMAIN_SEPARATOR()");
  const name = told(await read(ask, token, "name()"), 0);
  if (separator?.length !== 32 || name === null) return null;
  const version = told(await read(ask, token, "version()"), 0) ?? "1";
  const hash = keccak(joined(...[DOMAIN, name, version].map((text) => keccak(ascii(text))), word(chainId), word(token)));
  return same(hash, separator) ? { name, version, chainId: Number(chainId), verifyingContract: token } : null;
}

// Whether the token would take this permit, in either form.
async function works(ask, { token, owner, spender, value }, deadline, signature) {
  const head = [owner, spender, value, deadline].map(word);
  const padding = new Uint8Array(-signature.length & 31);
  const forms = [called("permit(address,address,uint256,uint256,bytes)", ...head, word(160), word(signature.length), signature, padding)];
  if (signature.length === KEY_SIGNATURE) {
    const [r, s, v] = [signature.slice(0, 32), signature.slice(32, 64), word(signature[64])];
    forms.unshift(called("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", ...head, v, r, s));
  }
  for (const data of forms) {
    try { await ask("eth_call", { from: owner, to: token, data }, "latest"); return true; } catch { /* the other form */ }
  }
  return false;
}

// How `spender` gets to take `value` of the owner's: { allowed } where it may already, { deadline, signature } of a permit
// that the token takes, null where it has to be approved by a transaction. Throws where the owner refuses to sign.
// Whoever sees a permit may submit it first: that leaves the allowance which it is for, and nobody but the owner's own
// transaction takes it.
export async function permitFor(wanted, say = () => {}, ask = askWallet) {
  const { token, owner, spender, value, chainId } = wanted;
  const allowance = async () => BigInt(hexOf((await read(ask, token, "allowance(address,address)", owner, spender)) ?? [0]));
  if ((await allowance()) >= BigInt(value)) return { allowed: true };
  const domain = await permitDomain(token, chainId, ask);
  const nonce = domain && (await read(ask, token, "nonces(address)", owner));
  if (nonce?.length !== 32) return null;
  const deadline = Math.floor(Date.now() / 1000) + VALID_S;
  const message = { owner, spender, value: String(value), nonce: String(numberOf(nonce)), deadline: String(deadline) };
  say();
  let signature;
  try {
    signature = bytesOf(await ask("eth_signTypedData_v4", owner, JSON.stringify({ domain, types: TYPES, primaryType: "Permit", message })));
  } catch (error) {
    if (error?.code === REFUSED_BY_USER) throw error;
    return null; // a wallet that signs no such thing
  }
  if (signature.length === KEY_SIGNATURE && signature[64] < 27) signature[64] += 27;
  if (await works(ask, wanted, deadline, signature)) return { deadline, signature: hexOf(signature) };
  return (await allowance()) >= BigInt(value) ? { allowed: true } : null;
}
