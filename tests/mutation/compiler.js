// Compiles contracts again and again in one process: a request a line, an answer a line.
// Request: {"overlay": {"contracts/A.sol": "source"}, "contracts": ["LeaseEscrow"]}; answer: {"LeaseEscrow": "0x…"} or {"error": "…"}.
// Without the optimizer a contract takes half a second instead of three; what it does is the same.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");

const root = process.argv[2];
const toml = fs.readFileSync(path.join(root, "foundry.toml"), "utf8").split("[profile.default.fuzz]")[0];
const remappings = [...toml.matchAll(/"([^"]+\/=[^"]+\/)"/g)].map((match) => match[1]);
const solc = require(path.join(root, "node_modules", "solc"));

function compile({ overlay, contracts }) {
  const readImport = (name) => {
    if (overlay[name] !== undefined) return { contents: overlay[name] };
    const file = path.join(root, name);
    return fs.existsSync(file) ? { contents: fs.readFileSync(file, "utf8") } : { error: `not found: ${name}` };
  };
  const sources = {};
  const outputSelection = {};
  for (const name of contracts) {
    const file = `contracts/${name}.sol`;
    sources[file] = { content: readImport(file).contents };
    outputSelection[file] = { [path.basename(name)]: ["evm.bytecode.object"] };
  }
  const settings = {
    evmVersion: "cancun",
    optimizer: { enabled: false },
    remappings: ["@openzeppelin/=node_modules/@openzeppelin/", "solady/=node_modules/solady/"],
    outputSelection,
  };
  const input = JSON.stringify({ language: "Solidity", sources, settings });
  const output = JSON.parse(solc.compile(input, { import: readImport }));
  const errors = (output.errors ?? []).filter((e) => e.severity === "error");
  if (errors.length) return { error: errors[0].formattedMessage };
  const codes = {};
  for (const name of contracts) {
    codes[name] = "0x" + output.contracts[`contracts/${name}.sol`][path.basename(name)].evm.bytecode.object;
  }
  return codes;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(compile(JSON.parse(line))) + "\n");
});
