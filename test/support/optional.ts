import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { it } from "vitest";
import { isLong } from "./full.ts";

/** Folder given to developers beside the repository; the project passes without it. */
export const sharedData: string = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/**
 * The Python that has all of `modules`, those inside packages too ("pyFAI.integrator.azimuthal"): one of
 * SACLA_TEST_PYTHON, else the system's; undefined when none has.
 */
export function pythonWith(...modules: string[]): string | undefined {
  // Several, parted as those of PATH are: packages that want different versions of a third stand apart.
  const given = (process.env["SACLA_TEST_PYTHON"] ?? "").split(delimiter).filter((path) => path !== "");
  return [...given, "/usr/bin/python3", "python3"].find((python) => {
    const folders = pathOf(python);
    return modules.every((name) => folders.some((folder) => hasModule(folder, name)));
  });
}

const known = new Map<string, readonly string[]>();

/** Folders from which a Python imports; none where there is no such Python. */
function pathOf(python: string): readonly string[] {
  const found = known.get(python) ?? askPath(python);
  known.set(python, found);
  return found;
}

function askPath(python: string): readonly string[] {
  try {
    const script = "import json, sys; print(json.dumps(sys.path[1:]))";
    return JSON.parse(execFileSync(python, ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    return [];
  }
}

/** Whether a folder has a module's own file or folder. It is not imported: that takes seconds. */
function hasModule(folder: string, name: string): boolean {
  const [last = "", ...above] = name.split(".").toReversed();
  try {
    const files = readdirSync(join(folder, ...above.toReversed()));
    return files.some((file) => file === last || (file.startsWith(`${last}.`) && /\.(py|so)$/.test(file)));
  } catch {
    return false;
  }
}

/** Whether all of these programs are in a folder of PATH, or where Debian has those of the administrator. */
export function hasPrograms(...names: readonly string[]): boolean {
  return names.every((name) => programPath(name) !== undefined);
}

export function programPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** What bluesky-readers.py imports, and what tiled needs for it, which it does not bring along by itself. */
export const blueskyModules: readonly string[] = [
  ...["bluesky.callbacks.tiled_writer", "event_model", "suitcase.specfile", "matplotlib"],
  ...["tiled.catalog", "tiled.client", "tiled.server.app", "fastapi", "sqlalchemy"],
];

/**
 * A test against the shared data. CI lets it be skipped where they are not: they are no package that could be
 * installed.
 */
export function itWithSharedData(name: string, test: () => void | Promise<void>): void {
  itNeeding(existsSync(sharedData), "no shared data", name, test);
}

/** One that takes long, of which a shorter one shows most: as `itInFull`. */
export function itWithSharedDataInFull(name: string, test: () => void | Promise<void>): void {
  if (isLong) itWithSharedData(name, test);
  else it.skip(name);
}

/** A test that needs something the product does not: skipped, with the reason printed, where it is absent. */
export function itNeeding(available: boolean, reason: string, name: string, test: () => void | Promise<void>): void {
  if (available) it(name, test);
  else {
    console.warn(`skipped: ${name} (${reason})`);
    it.skip(`${name} (${reason})`);
  }
}
