#!/usr/bin/env bash
# esbuild 0.28.2 (npm), which tsx runs on: `await using` in a loop keeps the error of an earlier turn.
#
# For a target without `await using`, esbuild writes a turn of the loop as try/catch/finally with its error in a `var`.
# A `var` is not made anew for each turn. A loop that catches the error of one turn and goes on (a file that cannot be
# read, a run that is not there) throws the old error again at the end of every later turn, though that turn was fine.
#
# Expected (and given by typescript 6.0.3 for the same target): only the turn that failed throws.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm pkg set type=module
npm install --silent --no-audit --no-fund esbuild@0.28.2 typescript@6.0.3
cat >loop.ts <<'TS'
const open = () => ({ async [Symbol.asyncDispose]() {} });
const seen: string[] = [];
for (const turn of [0, 1, 2, 3]) {
  try {
    await using file = open();
    void file;
    if (turn === 1) throw new Error("turn 1 failed");
    seen.push(`${turn} went well`);
  } catch (error) {
    seen.push(`${turn}: ${(error as Error).message}`);
  }
}
console.log(seen.join("; "));
TS
npx esbuild loop.ts --target=node20 --format=esm --outfile=esbuild.mjs --log-level=error
npx tsc --ignoreConfig --target es2022 --module nodenext --moduleDetection force --lib es2022,esnext.disposable,dom loop.ts
mv loop.js tsc.mjs
echo "tsc:     $(node tsc.mjs)"
echo "esbuild: $(node esbuild.mjs)"
if [ "$(node tsc.mjs | grep -o 'turn 1 failed' | wc -l)" = 1 ] && [ "$(node esbuild.mjs | grep -o 'turn 1 failed' | wc -l)" = 3 ]; then
  echo "as stated: the error of turn 1 comes again at turns 2 and 3"
else
  echo "CHANGED"; exit 1
fi
