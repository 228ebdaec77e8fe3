#!/usr/bin/env bash
# typescript 6.0.3 (npm): `rewriteRelativeImportExtensions` forgets an import() beside `await using`.
#
# With this option tsc writes `import("./other.ts")` as `import("./other.js")`. Inside a function that also has
# `await using`, and that is compiled for a target without it (es2022), the import() keeps its ".ts". tsc says nothing.
# The program then ends with ERR_MODULE_NOT_FOUND once the sources are gone, which is after publishing.
#
# Expected: both functions below are rewritten alike. A work-around is to call import() in a function of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typescript@6.0.3
echo 'export const answer: number = 42;' >other.ts
cat >main.ts <<'TS'
declare function open(): AsyncDisposable;
export async function plain() {
  return (await import("./other.ts")).answer;
}
export async function disposing() {
  await using file = open();
  return [(await import("./other.ts")).answer, file];
}
TS
npx tsc --ignoreConfig --target es2022 --module nodenext --lib es2022,esnext.disposable --outDir out --rewriteRelativeImportExtensions main.ts other.ts
grep -n 'import("' out/main.js
if [ "$(grep -c 'import("./other.js")' out/main.js)" = 1 ] && [ "$(grep -c 'import("./other.ts")' out/main.js)" = 1 ]; then
  echo "as stated: one of the two import() is left as it was"
else
  echo "CHANGED"; exit 1
fi
