#!/usr/bin/env bash
# node-sqlite3-wasm 0.8.60 (npm): its lock is a folder that other SQLite programs do not see, and that a killed writer leaves.
#
# SQLite locks bytes of the file, which the system gives free when a process ends. This build makes a folder FILE.lock
# instead. While one of its transactions is open, Python's sqlite3 writes into the same file at once. And after kill -9 of
# the writer the folder stays: the database is "locked" for this package for ever, and not locked for Python.
#
# Expected: the locks of SQLite, seen by all, gone with the process. Remove FILE.lock by hand when no writer lives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm pkg set type=module
npm install --silent --no-audit --no-fund node-sqlite3-wasm@0.8.60
cat >writer.mjs <<'JS'
import sqlite from "node-sqlite3-wasm";
const db = new sqlite.Database("edges.db");
db.run("create table if not exists edge (tag integer, position real)");
db.run("begin immediate");
db.run("insert into edge values (1, 0.5)");
console.log("open");
setInterval(() => {}, 1000);
JS
cat >reader.mjs <<'JS'
import sqlite from "node-sqlite3-wasm";
try {
  const db = new sqlite.Database("edges.db");
  db.run("insert into edge values (3, 1.5)");
  console.log("writes");
} catch (error) {
  console.log(error.message);
}
JS
python_writes() {
  python3 - <<'PY'
import sqlite3
try:
    with sqlite3.connect("edges.db", timeout=0.2) as db:
        db.execute("insert into edge values (2, 1.0)")
    print("writes")
except sqlite3.OperationalError as error:
    print(error)
PY
}
node writer.mjs >told & writer=$!
for _ in $(seq 100); do grep -q open told && break; sleep 0.2; done
during=$(python_writes)
kill -9 "$writer"; wait "$writer" 2>/dev/null || true
after_python=$(python_writes)
after_wasm=$(node reader.mjs)
echo "a transaction is open:   Python's sqlite3 $during"
echo "its process was killed:  Python's sqlite3 $after_python, node-sqlite3-wasm says: $after_wasm"
if [ "$during" = writes ] && [ "$after_python" = writes ] && grep -q locked <<<"$after_wasm" && [ -e edges.db.lock ]; then
  echo "as stated"
else
  echo "CHANGED"; exit 1
fi
