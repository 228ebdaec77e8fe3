import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { it } from "vitest";

/** Folder given to developers beside the repository; the project passes without it. */
export const sharedData: string = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/** The Python that has all of `modules`: SACLA_TEST_PYTHON, else the system's; undefined when none has. */
export function pythonWith(...modules: string[]): string | undefined {
  // Several, parted as those of PATH are: packages that want different versions of a third stand apart.
  const given = (process.env["SACLA_TEST_PYTHON"] ?? "").split(delimiter).filter((path) => path !== "");
  const names = modules.map((name) => name.replace(/\..*/, ""));
  return [...given, "/usr/bin/python3", "python3"].find((python) => names.every((name) => modulesOf(python).has(name)));
}

const known = new Map<string, ReadonlySet<string>>();

/** Names of what a Python can import, asked once: to import it takes seconds. None where there is no such Python. */
function modulesOf(python: string): ReadonlySet<string> {
  const found = known.get(python) ?? new Set(listModules(python));
  known.set(python, found);
  return found;
}

function listModules(python: string): string[] {
  // A package without __init__.py (suitcase) is a folder alone.
  const program = `import os, pkgutil, sys
folders = (entry.name for path in sys.path if os.path.isdir(path) for entry in os.scandir(path) if entry.is_dir())
print(*(m.name for m in pkgutil.iter_modules()), *folders)`;
  try {
    return execFileSync(python, ["-c", program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim()
      .split(" ");
  } catch {
    return [];
  }
}

/**
 * A test against the shared data. CI lets it be skipped where they are not: they are no package that could be
 * installed.
 */
export function itWithSharedData(name: string, test: () => void | Promise<void>): void {
  itNeeding(existsSync(sharedData), "no shared data", name, test);
}

/** A test that needs something the product does not: skipped, with the reason printed, where it is absent. */
export function itNeeding(available: boolean, reason: string, name: string, test: () => void | Promise<void>): void {
  if (available) it(name, test);
  else {
    console.warn(`skipped: ${name} (${reason})`);
    it.skip(`${name} (${reason})`);
  }
}
