import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { it } from "vitest";

/** Folder given to developers beside the repository; the project passes without it. */
export const sharedData: string = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/** The Python that can import all of `modules`: SACLA_TEST_PYTHON, else the system's; undefined when none can. */
export function pythonWith(...modules: string[]): string | undefined {
  const wanted = modules.toSorted().join(", ");
  if (!pythons.has(wanted)) pythons.set(wanted, findPython(wanted));
  return pythons.get(wanted);
}

const pythons = new Map<string, string | undefined>();

function findPython(modules: string): string | undefined {
  // Several, parted as those of PATH are: packages that want different versions of a third stand apart.
  const given = (process.env["SACLA_TEST_PYTHON"] ?? "").split(delimiter).filter((path) => path !== "");
  for (const python of [...given, "/usr/bin/python3", "python3"]) {
    try {
      execFileSync(python, ["-c", `import ${modules}`], { stdio: "ignore" });
      return python;
    } catch {
      // The next one may have them.
    }
  }
  return undefined;
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
