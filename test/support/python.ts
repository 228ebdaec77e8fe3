import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { itNeeding, pythonWith } from "./optional.ts";

/** The folder of the Python package `sacla_python` and its tests. */
export const pythonFolder: string = fileURLToPath(new URL("../../python", import.meta.url));
/** A Python that has what the package needs; undefined when there is none. */
export const packagePython: string | undefined = pythonWith("numpy");

/** A test that needs Python with numpy, skipped where there is none. */
export function itWithPython(name: string, test: () => Promise<void>): void {
  itNeeding(packagePython !== undefined, "no Python with numpy; set SACLA_TEST_PYTHON", name, test);
}

/** What a Python program printed, and whether it ended well. */
export interface PythonEnd {
  readonly isGood: boolean;
  readonly out: string;
  readonly err: string;
}

/** Runs Python in the folder of the package. */
export function runPython(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: string = packagePython ?? "",
): Promise<PythonEnd> {
  const { SACLA_URL: _, SACLA_TOKEN: __, PYTHONPATH: ___, ...rest } = process.env;
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd: pythonFolder, env: { ...rest, PYTHONDONTWRITEBYTECODE: "1", ...env }, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ isGood: error === null, out, err }),
    );
  });
}

/** Runs a module of python/tests by unittest against a server; how many tests ran. @throws what failed */
export async function runUnittest(
  name: string,
  env: Readonly<Record<string, string>>,
  program?: string,
): Promise<number> {
  const { isGood, out, err } = await runPython(["-m", "unittest", `tests.${name}`], env, program);
  if (!isGood) throw new Error(out + err);
  return Number(/^Ran (\d+) tests?/m.exec(err)?.[1]);
}
