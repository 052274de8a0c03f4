// The renter's check before money flows: a nonce of this browser's own, each device's proof, and its verification here.
import { bytesOf, hexOf, keccak, same } from "./bytes.mjs";
import { deviceOf, digest, epochSeed, leaseOf, offerHash, profileOf, resultRoots, signerOf } from "./chain.mjs";
import { handoverRho, handoverSeed, jobHash, verifyOpening } from "./opening.mjs";
import { choice, prepare } from "./pod.mjs";
import { answered, known, request, signed } from "./provider.mjs";
import { hasSessions, sessionOf, sign } from "./signing.mjs";
import { account, pause, ready, reason, stepsIn } from "./wallet.mjs";

const TYPE = "Handover(uint256 leaseId,bytes32 jobHash,bytes32 deviceId,bytes32 nonce,bytes32 resultRoot)";
const PATIENCE = 60_000;
const START_VALID = 600;

// What outlives a reload, once all devices have answered in time: the secret, and the roots that they answered with. One
// proof a lease is all that a device gives. Whatever came late is forgotten: the devices had the nonce for longer by then.
const placeOf = (lease) => `handover ${lease.chainId} ${lease.escrow} ${lease.id}`;
const kept = (lease) => JSON.parse(localStorage.getItem(placeOf(lease)) ?? "null");
const keep = (lease, x, roots) => localStorage.setItem(placeOf(lease), JSON.stringify({ x: hexOf(x), roots }));

// What a step asks of the wallet where this browser has no key of its own to sign with.
const byHand = (what) => (hasSessions() ? "" : `: sign ${what} in the wallet`);
const short = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;

// The lease's devices, by its offer: the market names it, the chain knows its hash.
async function offerOf(lease) {
  const answer = await fetch(`/v1/leases/${lease.id}`);
  if (!answer.ok) throw new Error(`the market does not know lease ${lease.id} yet`);
  const offer = (await answer.json()).data;
  const hash = offerHash(offer);
  const found = await leaseOf(lease.escrow, lease.id);
  if (found.renter.toLowerCase() !== account().toLowerCase()) throw new Error(`lease ${lease.id} is another wallet's`);
  if (!same(hash.slice(0, 27), found.offerHash)) throw new Error("the market names another offer than the one the lease was opened on");
  return { hash, devices: offer.deviceIds };
}

async function deviceAt(lease, id) {
  const { key, profile } = await deviceOf(lease.registry, id);
  return { id, key, profile: await profileOf(lease.registry, profile) };
}

async function checked(lease, device, answer, nonce) {
  const seed = await epochSeed(lease.oracle, answer.epoch);
  if (answer.deviceId.toLowerCase() !== device.id || BigInt(answer.leaseId) !== BigInt(lease.id)) throw new Error("the handover is of another device or lease");
  if (!same(bytesOf(answer.nonce), nonce)) throw new Error("the handover is over another nonce: its work could have been done before");
  if (!same(bytesOf(answer.jobHash), jobHash(seed, device.profile))) throw new Error("the handover is for another job than the chain names");
  const hash = digest(lease.chainId, lease.escrow, TYPE, lease.id, answer.jobHash, answer.deviceId, answer.nonce, answer.resultRoot);
  if ((await signerOf(hash, answer.signature)) !== device.key) throw new Error("the handover is not signed by the device's key");
  return seed;
}

// Signs what is asked of each device, then asks all of them at one instant: so many cards, not one in turn. `before` are
// the roots of answers that were in time already.
async function prove(lease, devices, { nonce, before }, steps) {
  const many = devices.length > 1 ? `each of ${devices.length} devices` : "the device";
  const step = steps.add(`Handover of ${many}${byHand("the request")}`, "waiting");
  const sends = [];
  for (const [n, { id }] of devices.entries()) {
    if (devices.length > 1 && !hasSessions()) step.say("waiting", `Sign the request for device ${n + 1} of ${devices.length}, ${short(id)}`);
    sends.push(await signed(lease, "POST", "/handover", { nonce: hexOf(nonce), deviceId: id }, Math.min(100, 8 * devices.length)));
  }
  step.say("waiting", "The devices are at work, all since one instant");
  const began = performance.now();
  const answers = await Promise.all(sends.map(async (send, n) => {
    const body = await (await answered(await send())).json();
    const took = performance.now() - began, { id, profile } = devices[n];
    if (before ? body.resultRoot !== before[n] : took > profile.deadlineMs) throw new Error(`device ${short(id)} answered ${before ? "otherwise than before" : `after ${Math.round(took)} ms; its deadline is ${profile.deadlineMs} ms`}. Cancel the lease: all of the deposit is yours`);
    return body;
  }));
  const took = Math.round(performance.now() - began);
  step.say("done", `${devices.length > 1 ? `All ${devices.length} devices have` : "The device has"} committed to its work and signed it within ${took} ms`);
  return answers;
}

async function verify(lease, device, answer, { x, nonce, of }, steps) {
  const seed = await checked(lease, device, answer, nonce);
  const open = steps.add(`Rows of your own choice of device ${of}${byHand("the request")}`, "waiting");
  const body = await (await request(lease, "POST", "/handover/opening", { x: hexOf(x), deviceId: device.id })).arrayBuffer();
  const opening = new Uint8Array(body), { profile } = device;
  open.say("done", `${profile.k} rows of ${profile.N} numbers of device ${of}, ${opening.length.toLocaleString("en")} bytes`);
  const step = steps.add("Verifying on this machine", "waiting");
  const since = performance.now();
  const resultRoot = bytesOf(answer.resultRoot), id = bytesOf(device.id);
  const s0 = handoverSeed(seed, id, profile.id, nonce, lease.id);
  const work = { profile, epochSeed: seed, seed: s0, device: id, rho: handoverRho(x, resultRoot), resultRoot, opening };
  const rows = await verifyOpening(work, async (part) => {
    step.say("waiting", `Verifying on this machine: ${Math.round(100 * part)} %`);
    await pause(0);
  });
  step.say("done", `${rows} rows verified in this browser in ${Math.round(performance.now() - since)} ms: device ${of} did this work for this lease`);
  return resultRoot;
}

// One signature for all requests of a day, in place of one for each.
async function vouch(lease, steps) {
  if (!hasSessions()) return;
  const step = steps.add("Let this browser speak for you about this lease for a day: sign once in the wallet", "waiting");
  await sessionOf(lease);
  step.say("done", "This browser may speak for you about this lease for a day");
}

async function letKnow(lease, steps) {
  const wait = steps.add(`The provider has to know the lease${byHand("the question")}`, "waiting");
  await known(lease, PATIENCE);
  wait.say("done", "The provider knows the lease");
}

// The offer's hash and the roots of all handovers, each verified. The provider knows the lease by now: whoever knew the
// nonce before would have the time to work one device after another.
async function handOver(lease, steps) {
  const before = kept(lease);
  const x = before ? bytesOf(before.x) : crypto.getRandomValues(new Uint8Array(32)), nonce = keccak(x);
  const { hash, devices: ids } = await offerOf(lease);
  const devices = await Promise.all(ids.map((id) => deviceAt(lease, id)));
  const answers = await prove(lease, devices, { nonce, before: before?.roots }, steps);
  keep(lease, x, answers.map((answer) => answer.resultRoot));
  const roots = [];
  for (const [n, device] of devices.entries()) {
    roots.push(await verify(lease, device, answers[n], { x, nonce, of: `${n + 1} of ${devices.length}` }, steps));
  }
  return { offerHash: hexOf(hash), resultRoots: hexOf(resultRoots(roots)) };
}

async function start(lease, handed, steps) {
  const step = steps.add(`Start the stream: sign the start${hasSessions() ? "" : ", then the request,"} in the wallet`, "waiting");
  const validUntil = Math.floor(Date.now() / 1000) + START_VALID;
  const signature = await sign(lease, "LeaseStart", { leaseId: lease.id, ...handed, validUntil });
  const body = { resultRoots: handed.resultRoots, validUntil, signature };
  const answer = await (await request(lease, "POST", "/start", body)).json();
  step.say("done", `The provider has started the lease: transaction ${answer.transaction}`);
}

// Another lease that runs on a device of this one, which keeps it from starting.
async function firstOf(id) {
  try {
    const { data } = await (await fetch(`/v1/leases/${id}`)).json();
    for (const device of data.deviceIds) {
      const running = (await (await fetch(`/v1/leases?device=${device}&status=2`)).json()).data;
      if (running.length && String(running[0].leaseId) !== String(id)) return running[0].leaseId;
    }
  } catch { /* the first failure is the one to tell */ }
  return null;
}

async function run(place) {
  const { chain, escrow, oracle, registry, lease: id } = place.dataset;
  const lease = { id, chainId: Number(chain), escrow, oracle, registry };
  const steps = stepsIn(place.querySelector(".steps"));
  const button = place.querySelector("button");
  button.disabled = true;
  try {
    if (!(await ready())) throw new Error("No wallet was chosen");
    const chosen = await choice();
    await vouch(lease, steps);
    await letKnow(lease, steps);
    await prepare(lease, chosen, steps);
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
    const first = await firstOf(id);
    if (first) steps.add(`Lease ${first} of the same device began first: this one cannot start while it runs. See /leases/${first}`, "failed").link();
    else steps.add(reason(error), "failed");
    const back = place.querySelector("[data-back]");
    if (back) back.hidden = false;
  } finally { button.disabled = false; }
}

for (const prompts of document.querySelectorAll("[data-prompts]")) {
  if (!hasSessions()) prompts.textContent = prompts.dataset.prompts;
}

for (const place of document.querySelectorAll("[data-handover]")) {
  place.querySelector("button").addEventListener("click", () => run(place));
  addEventListener("leaseopened", (event) => {
    place.dataset.lease = event.detail;
    place.querySelector("[data-back]").dataset.send = `/send/cancel/${event.detail}`;
    place.hidden = false;
    for (const name of document.querySelectorAll("[data-lease-name]")) name.textContent = event.detail;
    for (const link of document.querySelectorAll("[data-lease-link]")) { link.href = `/leases/${event.detail}`; link.hidden = false; }
    place.querySelector("button").focus();
  });
}
