#!/usr/bin/env bash
# Symbolic proofs of the stream and of the packed product, on a copy of the sources. Fails unless each of them holds.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/build/halmos
rm -rf "$home"
mkdir -p "$home/scripts" "$home/tests"
cp -r "$root/contracts" "$home/contracts"
cp -r "$root/tests/analysis/halmos" "$home/tests/halmos"
cp -r "$root/scripts/solc" "$home/scripts/solc"
ln -s "$root/node_modules" "$home/node_modules"
cat > "$home/foundry.toml" <<'TOML'
[profile.default]
src = "tests/halmos"
test = "tests/halmos"
out = "out"
libs = []
solc = "scripts/solc/solc-v0.8.30"
offline = true
evm_version = "cancun"
optimizer = true
optimizer_runs = 200
ast = true
remappings = ["@openzeppelin/=node_modules/@openzeppelin/", "solady/=node_modules/solady/"]
TOML
cd "$home"
export PATH="$root/build/analysis/venv/bin:$root/node_modules/.bin:$PATH"
forge build --silent
halmos --loop 9 --solver-timeout-assertion 120000 "$@"
