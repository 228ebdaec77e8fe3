import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { hasPrograms, pythonWith } from "../support/optional.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("what tests need, half present", () => {
  afterEach(() => vi.unstubAllEnvs());
  const folder = temporaryFolder();
  const program = (path: string, text: string): void => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  };

  it("is absent: a Python whose package lacks the module asked for", () => {
    mkdirSync(join(folder, "packages/ringfit/detectors"), { recursive: true });
    for (const file of ["ringfit/__init__.py", "ringfit/fast.cpython-311.so", "single.py", "other.txt", "other-1.info"])
      writeFileSync(join(folder, "packages", file), "");
    program(join(folder, "python"), `echo '["/nowhere", "${folder}/packages"]'`);
    vi.stubEnv("SACLA_TEST_PYTHON", ["/nowhere/python", join(folder, "python")].join(delimiter));
    const has = (...modules: string[]): boolean => pythonWith(...modules) === join(folder, "python");
    expect([has("ringfit", "single"), has("ringfit.detectors"), has("ringfit.fast")]).toEqual([true, true, true]);
    expect([has("ringfit.integrator.azimuthal"), has("ringfit", "other"), has("other")]).toEqual([false, false, false]);
  });

  it("is absent: programs of which one is not installed", () => {
    program(join(folder, "submit"), "");
    vi.stubEnv("PATH", folder);
    expect([hasPrograms("submit"), hasPrograms("submit", "queue-of-submit")]).toEqual([true, false]);
  });
});
