// Requests to a lease's provider, each signed for its renter and passed on by the market.
import { signedHeaders } from "./signing.mjs";
import { pause } from "./wallet.mjs";

// A request that is signed, to be sent when its moment comes. Providers take what was signed up to two
// minutes ago or ahead: `ahead` seconds make room for a wallet that is asked to sign several.
export async function signed(lease, method, path, body, ahead = 0) {
  const where = `/v1/leases/${lease.id}${path}`;
  const content = body === undefined ? "" : JSON.stringify(body);
  const issuedAt = Math.floor(Date.now() / 1000) + ahead;
  const headers = await signedHeaders(lease, `${method} ${where}`, content, issuedAt);
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
