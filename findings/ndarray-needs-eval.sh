#!/usr/bin/env bash
# ndarray 1.1.1 and 1.0.19 (npm) make a class for each type and number of axes with `new Function`.
#
# Expected: an array library of plain views works under any content security policy. Seen: where code from strings is
# forbidden (a page whose policy has no 'unsafe-eval'; Node.js with --disallow-code-generation-from-strings) the first
# ndarray() throws EvalError, at run time and only there. @h5web/lib 17.0.0 brings ndarray into the page.
#
# Here: the page is built with 50 lines in its place (web/shims/ndarray.ts), so that its policy needs no exception.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 old@npm:ndarray@1.0.19
cat >view.cjs <<'JS'
let thrown = 0;
for (const name of ["ndarray", "old"]) {
  const { version } = require(`${name}/package.json`);
  try {
    const view = require(name)(new Float32Array(6), [2, 3]);
    console.log(`ndarray ${version}: shape ${view.shape.join(" × ")}`);
  } catch (error) {
    console.log(`ndarray ${version}: ${error.name}: ${error.message}`);
    if (error instanceof EvalError) thrown++;
  }
}
process.exit(thrown);
JS
echo "as usual:"
usual=0 && node view.cjs || usual=$?
echo "without code from strings:"
strict=0 && node --disallow-code-generation-from-strings view.cjs || strict=$?
[ "$usual" -eq 0 ] && [ "$strict" -eq 2 ] && echo "as stated" || { echo "CHANGED"; exit 1; }
