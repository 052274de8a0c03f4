// Verifies the opening of a device's work in this browser: the same checks as a validator's, hashing and two sums a row.
import { ascii, climb, joined, keccak, numberOf, rootOf, same, u32, word } from "./bytes.mjs";
import { vector } from "./generator.mjs";

const P = (1n << 61n) - 1n;
const LOW = 1n << 31n;
const BLOCK = 4096; // so many products of an int8 and a 31-bit number add up exactly in a double

export const jobHash = (seed, p) => keccak(joined(seed, ...[p.id, p.M, p.N, p.K, p.T, p.chunk, p.k, p.W].map(word)));
export const handoverSeed = (seed, device, profile, nonce, lease) =>
  keccak(joined(ascii("assay.H"), seed, device, word(profile), nonce, word(lease)));
export const handoverRho = (x, resultRoot) => keccak(joined(ascii("assay.hr"), x, resultRoot));

// Weights r_j < 2^61, each as two numbers that doubles hold exactly.
function weights(rho, N) {
  const low = new Float64Array(N), high = new Float64Array(N), whole = [];
  for (let j = 0; j < N; j += 4) {
    const h = numberOf(keccak(joined(rho, ascii("r"), u32(j / 4))));
    for (let n = 0; n < 4; n++) {
      const r = ((h >> BigInt(64 * n)) & ((1n << 64n) - 1n)) % P;
      whole.push(r);
      low[j + n] = Number(r % LOW);
      high[j + n] = Number(r / LOW);
    }
  }
  return { low, high, whole };
}

const modulo = (value) => ((value % P) + P) % P;

// v_k = Σ_j B[j][k]·r_j mod p, exactly: N stays below BLOCK columns at a time.
async function projection(seed, profile, r, progress) {
  const v = new Array(profile.K).fill(0n);
  for (let start = 0; start < profile.N; start += BLOCK) {
    const end = Math.min(profile.N, start + BLOCK);
    const low = new Float64Array(profile.K), high = new Float64Array(profile.K);
    for (let j = start; j < end; j++) {
      const column = vector(seed, "B", j, profile.K);
      for (let k = 0; k < profile.K; k++) { low[k] += column[k] * r.low[j]; high[k] += column[k] * r.high[j]; }
      if (j % 32 === 31) await progress(j / profile.N / 2);
    }
    for (let k = 0; k < profile.K; k++) v[k] += BigInt(low[k]) + BigInt(high[k]) * LOW;
  }
  const whole = v.map(modulo);
  return { low: Float64Array.from(whole, (n) => Number(n % LOW)), high: Float64Array.from(whole, (n) => Number(n / LOW)) };
}

function projected(entries, v) {
  let sum = 0n;
  for (let start = 0; start < entries.length; start += BLOCK) {
    let low = 0, high = 0;
    for (let k = start; k < Math.min(entries.length, start + BLOCK); k++) { low += entries[k] * v.low[k]; high += entries[k] * v.high[k]; }
    sum += BigInt(low) + BigInt(high) * LOW;
  }
  return modulo(sum);
}

// Seeds of all rounds from s_0 and the round roots, which must lead to the result root.
function seedsOf(s0, roots, resultRoot) {
  const seeds = [s0];
  for (let t = 1; t < roots.length; t++) seeds.push(keccak(joined(seeds[t - 1], t > 1 ? roots[t - 2] : new Uint8Array(32))));
  const leaves = roots.map((root, t) => keccak(joined(word(t), seeds[t], root)));
  if (!same(rootOf(leaves), resultRoot)) throw new Error("the round roots do not lead to the result that the device signed");
  return seeds;
}

function rowRoot(row, i, path, profile) {
  const chunks = [];
  for (let at = 0; at < row.length; at += 4 * profile.chunk) chunks.push(keccak(row.subarray(at, at + 4 * profile.chunk)));
  return climb(rootOf(chunks), i, path);
}

export async function verifyOpening({ profile, epochSeed, seed, device, rho, resultRoot, opening }, progress = async () => {}) {
  const { M, N, T, k } = profile;
  const levels = Math.log2(M), record = 4 * N + 32 * levels;
  const expected = 32 * T + k * record;
  if (opening.length !== expected) throw new Error(`the opening has ${opening.length} bytes, not ${expected}`);
  const roots = Array.from({ length: T }, (_, t) => opening.subarray(32 * t, 32 * t + 32));
  const seeds = seedsOf(seed, roots, resultRoot);
  const r = weights(rho, N);
  const v = await projection(epochSeed, profile, r, progress);
  for (let q = 0; q < k; q++) {
    const index = Number(numberOf(keccak(joined(rho, ascii("q"), device, u32(q)))) % BigInt(T * M));
    const t = Math.floor(index / M), i = index % M;
    const at = 32 * T + q * record;
    const row = opening.subarray(at, at + 4 * N);
    const path = Array.from({ length: levels }, (_, d) => opening.subarray(at + 4 * N + 32 * d, at + 4 * N + 32 * d + 32));
    if (!same(rowRoot(row, i, path, profile), roots[t])) throw new Error(`row ${i} of round ${t} is not the one committed to`);
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    let sum = 0n;
    for (let j = 0; j < N; j++) sum += BigInt(view.getInt32(4 * j, true)) * r.whole[j];
    if (modulo(sum) !== projected(vector(seeds[t], "A", i, profile.K), v)) throw new Error(`row ${i} of round ${t} is not the product`);
    if (q % 4 === 3) await progress(0.5 + q / k / 2);
  }
  return k;
}
