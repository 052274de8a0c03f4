// Bytes, hexadecimal, and keccak256 of js-sha3, which the page loads before modules run.

const { keccak256 } = globalThis;

export const keccak = (bytes) => new Uint8Array(keccak256.arrayBuffer(bytes));
export const bytesOf = (hex) => Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
export const hexOf = (bytes) => `0x${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
export const numberOf = (bytes) => BigInt(hexOf(bytes));
export const word = (value) => bytesOf(`0x${BigInt(value).toString(16).padStart(64, "0")}`);
export const ascii = (text) => new TextEncoder().encode(text);
export const u32 = (value) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
export const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

// A tree by position: siblings bottom-up, on the left where the bit of the position is set.
export function climb(leaf, position, path) {
  return path.reduce((node, sibling, d) => keccak((position >> d) & 1 ? joined(sibling, node) : joined(node, sibling)), leaf);
}

// The root of leaves by position, filled up with zeros to the next power of two.
export function rootOf(leaves) {
  let level = [...leaves];
  while (level.length & (level.length - 1)) level.push(new Uint8Array(32));
  while (level.length > 1) level = level.filter((_, i) => i % 2 === 0).map((left, i) => keccak(joined(left, level[2 * i + 1])));
  return level[0];
}
