/** Runs every example in a folder of its own and says which failed: `npm run examples`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LIMIT_MS = 120_000;
const examples = fileURLToPath(new URL("../examples/", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx/cli");
const folder = mkdtempSync(join(tmpdir(), "sacla-examples-"));
let passed = 0;
let failed = 0;
for (const name of readdirSync(examples).filter((file) => file.endsWith(".ts"))) {
  const started = performance.now();
  const run = spawnSync(process.execPath, [tsx, "-C", "sacla-source", join(examples, name)], {
    cwd: folder,
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const good = run.status === 0 && run.stdout.trim() !== "";
  console.log(`${good ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  console.log(
    (good ? run.stdout : `${run.stdout}${run.stderr}${run.error?.message ?? ""}`).trimEnd().replace(/^/gm, "     "),
  );
  if (good) passed++;
  else failed++;
}
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
