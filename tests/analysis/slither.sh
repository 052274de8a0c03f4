#!/usr/bin/env bash
# Runs Slither on a copy of the contracts, so that an edit meanwhile cannot mislead it. Findings go to standard output.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/build/slither
rm -rf "$home"
mkdir -p "$home/scripts"
cp -r "$root/contracts" "$home/contracts"
cp -r "$root/scripts/solc" "$home/scripts/solc"
cp "$root/foundry.toml" "$home/"
ln -s "$root/node_modules" "$home/node_modules"
cd "$home"
export PATH="$root/build/analysis/venv/bin:$root/node_modules/.bin:$PATH"
forge build contracts --build-info --silent
slither . --ignore-compile --foundry-out-directory build/forge/out \
  --filter-paths "node_modules|contracts/test" --exclude-informational --exclude-optimization "$@"
