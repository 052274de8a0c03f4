// Requests to a lease's provider, each signed by the wallet and passed on by the market.
import { ascii, bytesOf, hexOf, keccak } from "./bytes.mjs";
import { account, ask, pause } from "./wallet.mjs";

const TYPES = {
  EIP712Domain: [
    { name: "name", type: "string" }, { name: "version", type: "string" },
    { name: "chainId", type: "uint256" }, { name: "verifyingContract", type: "address" },
  ],
  LeaseRequest: [
    { name: "leaseId", type: "uint256" }, { name: "action", type: "string" },
    { name: "contentHash", type: "bytes32" }, { name: "issuedAt", type: "uint64" },
  ],
  LeaseStart: [
    { name: "leaseId", type: "uint256" }, { name: "offerHash", type: "bytes32" },
    { name: "resultRoots", type: "bytes32" }, { name: "validUntil", type: "uint40" },
  ],
};

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

// A request that the wallet has signed, to be sent when its moment comes. Providers take what was signed up to two
// minutes ago or ahead: `ahead` seconds make room for a wallet that is asked to sign several.
export async function signed(lease, method, path, body, ahead = 0) {
  const where = `/v1/leases/${lease.id}${path}`;
  const content = body === undefined ? "" : JSON.stringify(body);
  const issuedAt = Math.floor(Date.now() / 1000) + ahead;
  const message = { leaseId: lease.id, action: `${method} ${where}`, contentHash: hexOf(keccak(ascii(content))), issuedAt };
  const signature = await sign(lease, "LeaseRequest", message);
  const headers = { "x-assay-signature": signature, "x-assay-issued-at": String(issuedAt), "content-type": "application/json" };
  return () => fetch(`/relay${where}`, { method, headers, body: content || undefined });
}

export async function answered(answer) {
  if (answer.ok) return answer;
  const text = await answer.text();
  let error = text;
  try { error = JSON.parse(text).error ?? text; } catch { /* no JSON, then */ }
  throw new Error(String(error).slice(0, 300) || `HTTP ${answer.status}`);
}

export const request = async (lease, method, path, body) => answered(await (await signed(lease, method, path, body))());

// A lease is known to market and provider once its block is final: until then the provider is asked again.
export async function known(lease, patience) {
  const send = await signed(lease, "GET", "");
  for (const until = Date.now() + patience; ; await pause(2000)) {
    const answer = await send();
    if (answer.status !== 404 || Date.now() > until) return answered(answer);
  }
}
