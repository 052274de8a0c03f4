// Recomputes a proven wrong element in this browser: from the bytes of the proof to the dot product that settles it.
import { ascii, bytesOf, climb, hexOf, joined, keccak, same, word } from "./bytes.mjs";
import { dot, vector } from "./generator.mjs";

// Steps of the proof, each a sentence and whether it holds.
export function recompute(proof) {
  const [beta, seed, root, result] = [proof.epochSeed, proof.seed, proof.root, proof.resultRoot].map(bytesOf);
  const chunk = bytesOf(proof.chunkBytes);
  const { M, N, K, chunk: width } = proof.profile;
  const steps = [];
  const beacon = keccak(joined(ascii("assay.B"), word(proof.chainId), word(proof.oracle), word(proof.epoch), bytesOf(proof.beacon)));
  steps.push(["β follows from the epoch's beacon", same(beacon, beta)]);
  const leaf = keccak(joined(word(proof.t), seed, root));
  steps.push([`the leaf of round ${proof.t} lies under the result that the device signed`, same(climb(leaf, proof.t, proof.roundPath.map(bytesOf)), result)]);
  const position = proof.i * (N / width) + Math.floor(proof.j / width);
  steps.push([`the chunk of row ${proof.i} lies under that round's root`, chunk.length === 4 * width && proof.i < M && same(climb(keccak(chunk), position, proof.chunkPath.map(bytesOf)), root)]);
  const claimed = new DataView(chunk.buffer).getInt32(4 * (proof.j % width), true);
  steps.push([`in it column ${proof.j} says ${claimed}`, claimed === proof.claimed]);
  const correct = dot(vector(seed, "A", proof.i, K), vector(beta, "B", proof.j, K));
  steps.push([`row ${proof.i} of A times column ${proof.j} of B, ${K} products, is ${correct}`, correct === proof.correct]);
  steps.push([`${claimed} is not ${correct}: the element is wrong`, claimed !== correct]);
  return { steps, seed: hexOf(seed), correct };
}

for (const place of document.querySelectorAll("[data-recompute]")) {
  const button = place.querySelector("button");
  const list = place.querySelector("ol");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    list.hidden = false;
    list.replaceChildren();
    try {
      const answer = await fetch(place.dataset.recompute);
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.error ?? "the market has no such proof");
      // A call that settled no element, or reached the contract through another, has none to recompute.
      if (!body.data.element) throw new Error("this proof is about no element: replay it in a terminal");
      for (const [text, good] of recompute(body.data.element).steps) {
        const item = list.appendChild(document.createElement("li"));
        item.className = good ? "good" : "bad";
        item.textContent = `${good ? "✓" : "✗"} ${text}`;
      }
    } catch (error) {
      list.appendChild(document.createElement("li")).textContent = String(error.message ?? error);
    } finally { button.disabled = false; }
  });
}
