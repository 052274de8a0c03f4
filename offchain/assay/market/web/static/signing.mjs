// What signs for a renter: the wallet, and a key of this browser for which the wallet has vouched with one signature.
import { ascii, bytesOf, hexOf, joined, keccak } from "./bytes.mjs";
import { digest } from "./chain.mjs";
import { account, ask } from "./wallet.mjs";

const TYPES = {
  EIP712Domain: [
    { name: "name", type: "string" }, { name: "version", type: "string" },
    { name: "chainId", type: "uint256" }, { name: "verifyingContract", type: "address" },
  ],
  LeaseRequest: [
    { name: "leaseId", type: "uint256" }, { name: "action", type: "string" },
    { name: "contentHash", type: "bytes32" }, { name: "issuedAt", type: "uint64" },
  ],
  LeaseSession: [
    { name: "leaseId", type: "uint256" }, { name: "keyHash", type: "bytes32" }, { name: "validUntil", type: "uint64" },
  ],
  LeaseStart: [
    { name: "leaseId", type: "uint256" }, { name: "offerHash", type: "bytes32" },
    { name: "resultRoots", type: "bytes32" }, { name: "validUntil", type: "uint40" },
  ],
};
const REQUEST = "LeaseRequest(uint256 leaseId,string action,bytes32 contentHash,uint64 issuedAt)";

// Wallets answer with 65 bytes; EIP-2098 puts the parity into the highest bit of s.
function compact(signature) {
  const bytes = bytesOf(signature);
  if (bytes.length !== 65) return signature;
  if (bytes[64] % 27 === 1) bytes[32] |= 0x80;
  return hexOf(bytes.slice(0, 64));
}

export async function sign(lease, primaryType, message) {
  const domain = { name: "Assay", version: "1", chainId: lease.chainId, verifyingContract: lease.escrow };
  const types = { EIP712Domain: TYPES.EIP712Domain, [primaryType]: TYPES[primaryType] };
  return compact(await ask("eth_signTypedData_v4", account(), JSON.stringify({ domain, types, primaryType, message })));
}

// Providers take a session of a day at most; a little less, for clocks that differ.
const VALID_S = 86_000;
const RENEWED_BEFORE_S = 120;
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const sessions = new Map();

// Browsers give keys only to pages that came by HTTPS or from this machine; to others the wallet signs each request.
export const hasSessions = () => Boolean(globalThis.crypto?.subtle && globalThis.indexedDB);

function stored(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("assay", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("sessions");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("sessions", mode);
      const asked = work(transaction.objectStore("sessions"));
      transaction.oncomplete = () => { opening.result.close(); resolve(asked.result); };
      transaction.onabort = () => { opening.result.close(); reject(transaction.error); };
    };
  });
}

const fresh = (session) => session && session.until - RENEWED_BEFORE_S > Date.now() / 1000;

async function vouchedFor(lease, place) {
  let session;
  try { session = await stored("readonly", (store) => store.get(place)); } catch { /* a window that stores nothing */ }
  if (fresh(session)) return session;
  const { privateKey, publicKey } = await crypto.subtle.generateKey(CURVE, false, ["sign"]);
  const whole = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  const point = joined(Uint8Array.of(2 + (whole[64] & 1)), whole.slice(1, 33));
  const until = Math.floor(Date.now() / 1000) + VALID_S;
  const signature = await sign(lease, "LeaseSession", { leaseId: lease.id, keyHash: hexOf(keccak(point)), validUntil: until });
  session = { privateKey, until, header: `${hexOf(point).slice(2)}.${until}.${signature}` };
  try { await stored("readwrite", (store) => store.put(session, place)); } catch { /* good for this page, then */ }
  return session;
}

// The session of this account for this lease, for which the wallet signs once; null where a browser has none.
export async function sessionOf(lease) {
  if (!hasSessions()) return null;
  const place = `${lease.chainId} ${lease.escrow} ${lease.id} ${account()}`;
  if (!sessions.has(place)) {
    const asked = vouchedFor(lease, place);
    sessions.set(place, asked);
    asked.catch(() => sessions.delete(place));
  }
  const session = await sessions.get(place);
  if (fresh(session)) return session;
  sessions.delete(place);
  return sessionOf(lease);
}

// The headers of a request about a lease, signed by this browser's session or else by the wallet.
export async function signedHeaders(lease, action, content, issuedAt) {
  const contentHash = hexOf(keccak(ascii(content)));
  const session = await sessionOf(lease);
  const headers = { "x-assay-issued-at": String(issuedAt), "content-type": "application/json" };
  if (!session) {
    const signature = await sign(lease, "LeaseRequest", { leaseId: lease.id, action, contentHash, issuedAt });
    return { ...headers, "x-assay-signature": signature };
  }
  const hash = digest(lease.chainId, lease.escrow, REQUEST, lease.id, hexOf(keccak(ascii(action))), contentHash, issuedAt);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, session.privateKey, hash);
  return { ...headers, "x-assay-signature": hexOf(new Uint8Array(signature)), "x-assay-session": session.header };
}
