// The entries of A and B, as the protocol's section 2 defines them bit for bit.
import { ascii, joined, keccak, u32 } from "./bytes.mjs";

const lanesOf = (hash) => {
  const view = new DataView(hash.buffer, hash.byteOffset, 32);
  return Uint32Array.from({ length: 8 }, (_, lane) => view.getUint32(28 - 4 * lane));
};

export function vector(seed, tag, index, K) {
  const [k1, k2] = [0, 1].map((b) => lanesOf(keccak(joined(seed, ascii(tag), u32(index), Uint8Array.of(b)))));
  const entries = new Int8Array(K);
  for (let w = 0; w < K / 32; w++) {
    const step = Math.imul(w, 0x9e3779b9);
    for (let lane = 0; lane < 8; lane++) {
      let x = (k1[lane] + step) | 0;
      x ^= x >>> 16; x = Math.imul(x, 0x21f0aaad);
      x ^= k2[lane];
      x ^= x >>> 15; x = Math.imul(x, 0x735a2d97);
      x ^= x >>> 15;
      const at = 32 * w + 4 * (tag === "B" ? 7 - lane : lane);
      for (let s = 0; s < 4; s++) entries[at + s] = ((x >>> (8 * s)) & 255) - 128;
    }
  }
  return entries;
}

export function dot(a, b) {
  // K is at most 65,536 and products at most 16,384: sums stay far below 2^53.
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
