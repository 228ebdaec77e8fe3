import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { addSignals, convert } from "../../../src/hdf5/index.ts";
import { connect } from "../../../src/index.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { TIMING_RUN, timingRunFile, timingStage } from "../../support/timing-run.ts";

const folder = temporaryFolder();
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";

it("sacla add-signals adds what a file lacks, once, and writes over other numbers only when asked", async () => {
  const { path } = await timingRunFile(folder);
  const bare = join(folder, "bare.h5");
  {
    await using facility = await connect(path);
    await convert({ db: facility.db, st: facility.st }, { bl: 3, run: TIMING_RUN, signals: [bm1] }, bare);
  }
  const add = ["add-signals", String(TIMING_RUN), bare, timingStage, bm1, "--url", path];
  const first = await cli([...add, "--json"]);
  expect([first.code, first.err]).toEqual([0, ""]);
  const { shots, signals } = JSON.parse(first.out) as { shots: number; signals: Record<string, unknown>[] };
  expect(shots).toBe(110);
  expect(signals.map(({ numbers, wasThere }) => [numbers, wasThere])).toEqual([
    [110, false],
    [110, true],
  ]);
  const values = async (url: string) => (await cli(["values", String(TIMING_RUN), timingStage, "--url", url])).out;
  expect(await values(bare)).toBe(await values(path));

  const before = readFileSync(bare);
  const again = await cli(add);
  expect([again.code, again.out.match(/was there already/g)?.length]).toEqual([0, 2]);
  expect(readFileSync(bare).equals(before)).toBe(true);

  const other = [{ equipId: timingStage, unit: "pulse", tags: [1000], values: [1] }];
  await expect(addSignals(bare, TIMING_RUN, other)).rejects.toThrow(expect.objectContaining({ code: "FILE_EXISTS" }));
  await addSignals(bare, TIMING_RUN, other, { replace: true });
  const back = await cli(add);
  expect([back.code, back.err]).toEqual([1, expect.stringContaining("FILE_EXISTS")]);
  expect((await cli([...add, "--replace"])).code).toBe(0);
  expect(await values(bare)).toBe(await values(path));
});
