// Reads of the chain through the wallet's own node, so that what a renter signs does not rest on the market's word.
import { ascii, bytesOf, hexOf, joined, keccak, numberOf, word } from "./bytes.mjs";
import { ask } from "./wallet.mjs";

const selector = (signature) => keccak(ascii(signature)).slice(0, 4);
const padded = (value) => (typeof value === "string" && value.length === 66 ? bytesOf(value) : word(value));

// The words of a view's answer: every type here fills one.
async function view(to, signature, ...values) {
  const data = hexOf(joined(selector(signature), ...values.map(padded)));
  const answer = bytesOf(await ask("eth_call", { to, data }, "latest"));
  if (!answer.length) throw new Error(`${signature} has no answer at ${to}: is the wallet on the right chain?`);
  return Array.from({ length: answer.length / 32 }, (_, i) => answer.slice(32 * i, 32 * i + 32));
}

export async function epochSeed(oracle, epoch) {
  const [current] = await view(oracle, "currentEpoch()");
  const age = Number(numberOf(current)) - epoch;
  if (!(age >= 0 && age <= 2)) throw new Error(`the handover stands on epoch ${epoch}, the current one is ${numberOf(current)}`);
  const [seed] = await view(oracle, "epochSeed(uint64)", epoch);
  return seed;
}

export async function deviceOf(registry, device) {
  const words = await view(registry, "device(bytes32)", device);
  return { key: hexOf(words[4].slice(12)), profile: Number(numberOf(words[5])) };
}

export async function profileOf(registry, id) {
  const names = ["M", "N", "K", "T", "chunk", "k", "W", "deadlineMs"];
  const words = await view(registry, "profile(uint32)", id);
  return { id, ...Object.fromEntries(names.map((name, i) => [name, Number(numberOf(words[i]))])) };
}

export async function leaseOf(escrow, lease) {
  const words = await view(escrow, "lease(uint256)", lease);
  return { renter: hexOf(words[0].slice(12)), offerHash: words[2].slice(0, 27), status: Number(numberOf(words[5])) };
}

const OFFER =
  "Offer(address provider,address operator,bytes32[] deviceIds,address token,uint128 rate,uint40 minDuration," +
  "uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter,uint32 notice)";

// The EIP-712 struct hash of the offer that a lease was opened on, of whose first 27 bytes the escrow keeps it by.
export function offerHash(offer) {
  const devices = keccak(joined(...offer.deviceIds.map(bytesOf)));
  const { provider, operator, token, rate, minDuration, maxDuration, validUntil, nonce, offerRenter, notice } = offer;
  const rest = [token, rate, minDuration, maxDuration, validUntil, nonce, offerRenter, notice];
  return keccak(joined(keccak(ascii(OFFER)), word(provider), word(operator), devices, ...rest.map(word)));
}

// What a LeaseStart says of the handovers: the one root, or the hash of all of them in the offer's order.
export const resultRoots = (roots) => (roots.length === 1 ? roots[0] : keccak(joined(...roots)));

const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

// The EIP-712 digest of a message of static types, under the domain that every contract of Assay uses.
export function digest(chainId, contract, type, ...values) {
  const domain = keccak(joined(keccak(ascii(DOMAIN)), keccak(ascii("Assay")), keccak(ascii("1")), word(chainId), word(contract)));
  const message = keccak(joined(keccak(ascii(type)), ...values.map(padded)));
  return keccak(joined(Uint8Array.of(0x19, 1), domain, message));
}

// Who signed: compact signatures of EIP-2098, recovered by the chain's own precompile.
export async function signerOf(hash, compact) {
  const signature = bytesOf(compact);
  const s = signature.slice(32, 64);
  const v = 27 + (s[0] >> 7);
  s[0] &= 0x7f;
  const data = hexOf(joined(hash, word(v), signature.slice(0, 32), s));
  const answer = await ask("eth_call", { to: `0x${"1".padStart(40, "0")}`, data }, "latest");
  return answer.length === 66 ? `0x${answer.slice(26)}` : null;
}
