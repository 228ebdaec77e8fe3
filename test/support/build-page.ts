import { execFile } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The browser of the tests: that of SACLA_TEST_CHROMIUM, else Debian's. */
export const chromiumPath = [
  process.env["SACLA_TEST_CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path !== "" && existsSync(path));

/** Builds the page when it has not been built since its sources changed. */
export async function buildPage(): Promise<void> {
  const built = join(root, "dist/web/index.html");
  const sources = [...["web", "src"].flatMap((folder) => filesIn(join(root, folder))), join(root, "package-lock.json")];
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(built) && statSync(built).mtimeMs > newest) return;
  // In a process of its own: the environment of tests would have React built for development.
  const { NODE_ENV: _, VITEST: __, ...env } = process.env;
  const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin/vite.js");
  await promisify(execFile)(process.execPath, [vite, "build", "web", "--logLevel", "warn"], { cwd: root, env });
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file))
    .filter((file) => /\.(ts|tsx|css|html|svg)$/.test(file));
}
