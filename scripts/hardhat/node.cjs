// node.cjs HOST PORT CHAIN_ID MNEMONIC ACCOUNTS: runs Hardhat's node in this folder, where it is installed.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const [host, port, chainId, mnemonic, accounts] = process.argv.slice(2);
const cli = join(__dirname, "node_modules/hardhat/internal/cli/cli.js");
if (!existsSync(cli)) {
  console.error("Hardhat is not installed: `make hardhat` does that");
  process.exit(1);
}
process.chdir(__dirname);
process.env.ASSAY_HARDHAT = JSON.stringify([Number(chainId), mnemonic, Number(accounts)]);
process.env.HARDHAT_DISABLE_TELEMETRY_PROMPT = "true";
process.argv = [process.argv[0], cli, "--config", "hardhat.config.cjs", "node", "--hostname", host, "--port", port];
require(cli);
