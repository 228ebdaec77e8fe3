import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { bundled } from "../support/bundled.ts";
import { runProgram, runSource } from "../support/cli.ts";
import { cases, times } from "../support/full.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const shots = times(60, 28);
const path = (name: string): string => fileURLToPath(new URL(`../support/parallel/${name}.ts`, import.meta.url));

const inTwo = { workers: 2, parts: 7 };

/** With a part of TypeScript, which needs tsx, or one that is JavaScript already. */
async function parallel(task: object, isTypeScript = false): Promise<Record<string, unknown>> {
  const part = pathToFileURL(isTypeScript ? path("part") : await bundled(path("part"))).href;
  const text = JSON.stringify({ shots, part, ...task });
  const { out, err, code } = await (isTypeScript ? runSource : runProgram)(folder, path("main"), [text]);
  expect([err, code]).toEqual(["", 0]);
  return JSON.parse(out) as Record<string, unknown>;
}

describe("reduceInParallel", () => {
  // A part of TypeScript needs tsx, which starts slowly in each thread.
  it.each(cases([true, false], 1))(
    "gives the bits of one pass, an account of every shot, and its progress",
    async (isTypeScript) => {
      const answer = await parallel(inTwo, isTypeScript);
      expect(answer).toMatchObject({ same: true, ledger: { asked: shots }, progress: [expect.any(Number), shots] });
      expect(answer["ledger"]).toEqual(answer["aloneLedger"]);
    },
  );

  it("replaces a thread that dies and does its part again, to the same bits", async () => {
    const mark = join(folder, "died");
    expect(await parallel({ ...inTwo, dieOnce: mark })).toMatchObject({ same: true, ledger: { asked: shots } });
    expect(existsSync(mark)).toBe(true);
  });

  it("gives up with WORKER_LOST when threads die over and over, passes on a part's own error, and stops when told", async () => {
    expect(await parallel({ ...inTwo, alwaysDie: true })).toEqual({ code: "WORKER_LOST" });
    expect(await parallel({ ...inTwo, fail: true })).toEqual({ code: "NO_DARK" });
    expect(await parallel({ ...inTwo, hang: true, abortMs: 300 })).toEqual({ code: "ABORTED" });
  });

  it.runIf(availableParallelism() > 1)(
    "without workers works in this thread, and has the last of slow shots done by others",
    async () => {
      const helped = join(folder, "helped");
      const answer = { same: true, ledger: { asked: shots }, progress: [shots, shots] };
      expect(await parallel({ helped })).toMatchObject(answer);
      expect(existsSync(helped)).toBe(false);
      expect(await parallel({ helped, slowMs: 600_000 })).toMatchObject(answer);
      expect(Number(readFileSync(helped, "utf8"))).toBeLessThan(shots - 4);
    },
  );

  it("without workers passes on the part's own error", async () => {
    expect(await parallel({ fail: true })).toEqual({ code: "NO_DARK" });
  });
});
