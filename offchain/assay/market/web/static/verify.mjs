// Checks a report leaf against its root in this browser: a StandardMerkleTree, nothing fetched.
import { bytesOf, hexOf, joined, keccak, word } from "./bytes.mjs";

const encoded = (type, value) => (type === "bytes32" ? bytesOf(value) : word(value));

export function leafRoot({ types, leaf, proof }) {
  let hash = keccak(keccak(joined(...types.map((type, i) => encoded(type, leaf[i])))));
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
    const root = leafRoot(claim);
    const good = root === claim.root.toLowerCase();
    result.className = good ? "good" : "bad";
    result.textContent = good ? `✓ Computed here: ${root}` : `✗ Computed ${root}, which is not the root shown`;
  });
}
