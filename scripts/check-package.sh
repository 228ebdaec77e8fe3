#!/usr/bin/env bash
# Packs the package, installs it into an empty folder as a user would, imports every room and runs the command.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$root"
npm pack --silent --pack-destination "$folder" >/dev/null
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ./sacla-*.tgz
cat >check.mjs <<'JS'
import { readFileSync } from "node:fs";
const { exports } = JSON.parse(readFileSync("node_modules/sacla/package.json", "utf8"));
for (const name of Object.keys(exports).filter((key) => key !== "./package.json")) {
  const room = await import(`sacla${name.slice(1)}`);
  if (Object.keys(room).length === 0) throw new Error(`${name} exports nothing`);
  console.log(name, Object.keys(room).length, "exports");
}
JS
node check.mjs
npx --no-install sacla --version
npx --no-install sacla demo --json --limit 3 | node -e '
  const { assembled, ledger } = JSON.parse(require("fs").readFileSync(0, "utf8"));
  if (assembled.brightest.length !== 8 || ledger.used === 0) process.exit(1);
  console.log("demo:", ledger.used, "shots used");'
test -s report.html
