"use strict";
// Checks a report leaf against its root in this browser: keccak256 and a StandardMerkleTree, nothing fetched.

const MASK = (1n << 64n) - 1n;
const rotated = (x, n) => (n ? ((x << n) | (x >> (64n - n))) & MASK : x);

// Round constants and rotations of Keccak-f[1600], from their own recurrences (FIPS 202, 3.2).
const CONSTANTS = [];
for (let round = 0, lfsr = 1; round < 24; round++) {
  let constant = 0n;
  for (let j = 0; j < 7; j++) {
    if (lfsr & 1) constant |= 1n << BigInt(2 ** j - 1);
    lfsr = (lfsr << 1) ^ (lfsr & 0x80 ? 0x171 : 0);
  }
  CONSTANTS.push(constant);
}
const MOVES = [];
for (let t = 0, x = 1, y = 0; t < 24; t++) {
  MOVES.push([x, y, BigInt((((t + 1) * (t + 2)) / 2) % 64)]);
  [x, y] = [y, (2 * x + 3 * y) % 5];
}

function permute(a) {
  for (const constant of CONSTANTS) {
    const c = [0, 1, 2, 3, 4].map((x) => a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20]);
    for (let x = 0; x < 5; x++) {
      const d = c[(x + 4) % 5] ^ rotated(c[(x + 1) % 5], 1n);
      for (let y = 0; y < 25; y += 5) a[x + y] ^= d;
    }
    const b = Array(25);
    b[0] = a[0];
    for (const [x, y, n] of MOVES) b[y + 5 * ((2 * x + 3 * y) % 5)] = rotated(a[x + 5 * y], n);
    for (let y = 0; y < 25; y += 5) for (let x = 0; x < 5; x++) a[x + y] = b[x + y] ^ (~b[((x + 1) % 5) + y] & MASK & b[((x + 2) % 5) + y]);
    a[0] ^= constant;
  }
}

function keccak(bytes) {
  const RATE = 136;
  const padded = new Uint8Array((Math.floor(bytes.length / RATE) + 1) * RATE);
  padded.set(bytes);
  padded[bytes.length] ^= 1;
  padded[padded.length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const state = Array(25).fill(0n);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let i = 0; i < 17; i++) state[i] ^= view.getBigUint64(at + 8 * i, true);
    permute(state);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 4; i++) out.setBigUint64(8 * i, state[i], true);
  return new Uint8Array(out.buffer);
}

const bytesOf = (hex) => Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hexOf = (bytes) => `0x${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const word = (type, value) => bytesOf(`0x${(type === "bytes32" ? value.slice(2) : BigInt(value).toString(16)).padStart(64, "0")}`);

function rootOf({ types, leaf, proof }) {
  let hash = keccak(keccak(joined(...types.map((type, i) => word(type, leaf[i])))));
  for (const sibling of proof) {
    const other = bytesOf(sibling);
    hash = keccak(hexOf(hash) < sibling.toLowerCase() ? joined(hash, other) : joined(other, hash));
  }
  return hexOf(hash);
}

for (const place of document.querySelectorAll("[data-verify]")) {
  const button = place.querySelector("button");
  const result = place.querySelector("output");
  button.hidden = false;
  button.addEventListener("click", () => {
    const claim = JSON.parse(place.dataset.verify);
    const root = rootOf(claim);
    const good = root === claim.root.toLowerCase();
    result.className = good ? "good" : "bad";
    result.textContent = good ? `✓ Computed here: ${root}` : `✗ Computed ${root}, which is not the root shown`;
  });
}
