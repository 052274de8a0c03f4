// The renter's check before money flows: a nonce of this browser's own, the device's proof, and its verification here.
import { bytesOf, hexOf, keccak, same } from "./bytes.mjs";
import { deviceOf, digest, epochSeed, leaseOf, profileOf, signerOf } from "./chain.mjs";
import { handoverRho, handoverSeed, jobHash, verifyOpening } from "./opening.mjs";
import { request, sign } from "./provider.mjs";
import { account, pause, ready, reason, stepsIn } from "./wallet.mjs";

const TYPE = "Handover(uint256 leaseId,bytes32 jobHash,bytes32 deviceId,bytes32 nonce,bytes32 resultRoot)";
const PATIENCE = 60_000;
const START_VALID = 600;

// The secret x has to outlive a reload: a device proves itself once a lease, to one nonce.
function secretOf(lease) {
  const place = `handover ${lease.chainId} ${lease.escrow} ${lease.id}`;
  let x = localStorage.getItem(place);
  if (!x) {
    x = hexOf(crypto.getRandomValues(new Uint8Array(32)));
    localStorage.setItem(place, x);
  }
  return bytesOf(x);
}

async function checked(lease, answer, nonce) {
  const found = await leaseOf(lease.escrow, lease.id);
  if (found.renter.toLowerCase() !== account().toLowerCase()) throw new Error(`lease ${lease.id} is another wallet's`);
  const { key, profile: id } = await deviceOf(lease.registry, found.device);
  const profile = await profileOf(lease.registry, id);
  const seed = await epochSeed(lease.oracle, answer.epoch);
  if (answer.deviceId.toLowerCase() !== found.device || BigInt(answer.leaseId) !== BigInt(lease.id)) throw new Error("the handover is of another device or lease");
  if (!same(bytesOf(answer.nonce), nonce)) throw new Error("the handover is over another nonce: its work could have been done before");
  if (!same(bytesOf(answer.jobHash), jobHash(seed, profile))) throw new Error("the handover is for another job than the chain names");
  const hash = digest(lease.chainId, lease.escrow, TYPE, lease.id, answer.jobHash, answer.deviceId, answer.nonce, answer.resultRoot);
  if ((await signerOf(hash, answer.signature)) !== key) throw new Error("the handover is not signed by the device's key");
  return { profile, seed, device: bytesOf(found.device) };
}

async function handOver(lease, steps) {
  const x = secretOf(lease);
  const nonce = keccak(x);
  const prove = steps.add("The device proves itself: sign the request in the wallet", "waiting");
  const began = performance.now();
  const answer = await (await request(lease, "POST", "/handover", { nonce: hexOf(nonce) }, PATIENCE)).json();
  const { profile, seed, device } = await checked(lease, answer, nonce);
  prove.say("done", `The device has committed to its work and signed it (${Math.round(performance.now() - began)} ms)`);
  const open = steps.add("Rows of your own choice are opened: sign the request in the wallet", "waiting");
  const body = await (await request(lease, "POST", "/handover/opening", { x: hexOf(x) })).arrayBuffer();
  const opening = new Uint8Array(body);
  open.say("done", `${profile.k} rows of ${profile.N} numbers received, ${opening.length.toLocaleString("en")} bytes`);
  const verify = steps.add("Verifying on this machine", "waiting");
  const since = performance.now();
  const resultRoot = bytesOf(answer.resultRoot);
  const s0 = handoverSeed(seed, device, profile.id, nonce, lease.id);
  const work = { profile, epochSeed: seed, seed: s0, device, rho: handoverRho(x, resultRoot), resultRoot, opening };
  const rows = await verifyOpening(work, async (part) => {
    verify.say("waiting", `Verifying on this machine: ${Math.round(100 * part)} %`);
    await pause(0);
  });
  verify.say("done", `${rows} rows verified in this browser in ${Math.round(performance.now() - since)} ms: the device did this work for this lease`);
  return answer.resultRoot;
}

async function start(lease, resultRoot, steps) {
  const step = steps.add("Start the stream: sign the start, then the request, in the wallet", "waiting");
  const validUntil = Math.floor(Date.now() / 1000) + START_VALID;
  const signature = await sign(lease, "LeaseStart", { leaseId: lease.id, resultRoot, validUntil });
  const answer = await (await request(lease, "POST", "/start", { resultRoot, validUntil, signature })).json();
  step.say("done", `The provider has started the lease: transaction ${answer.transaction}`);
}

async function run(place) {
  const { chain, escrow, oracle, registry, lease: id } = place.dataset;
  const lease = { id, chainId: Number(chain), escrow, oracle, registry };
  const steps = stepsIn(place.querySelector(".steps"));
  const button = place.querySelector("button");
  button.disabled = true;
  try {
    if (!(await ready())) throw new Error("No wallet was chosen");
    await start(lease, await handOver(lease, steps), steps);
    const wait = steps.add("Waiting until the market sees the start", "waiting");
    for (;;) {
      const answer = await fetch(`/v1/leases/${id}`);
      if (answer.ok && (await answer.json()).data.status !== 1) break;
      await pause(1500);
    }
    wait.say("done", "The stream runs");
    location.href = `/leases/${id}`;
  } catch (error) {
    steps.add(reason(error), "failed");
  } finally { button.disabled = false; }
}

for (const place of document.querySelectorAll("[data-handover]")) {
  place.querySelector("button").addEventListener("click", () => run(place));
  addEventListener("leaseopened", (event) => {
    place.dataset.lease = event.detail;
    place.hidden = false;
    for (const name of document.querySelectorAll("[data-lease-name]")) name.textContent = event.detail;
    for (const link of document.querySelectorAll("[data-lease-link]")) { link.href = `/leases/${event.detail}`; link.hidden = false; }
    place.querySelector("button").focus();
  });
}
