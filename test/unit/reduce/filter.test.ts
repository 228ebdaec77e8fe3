import { describe, expect, it } from "vitest";
import { Db } from "../../../src/db/index.ts";
import { filterShots, mean, reduce } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { tinySource } from "../../support/tiny-source.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const motor = "xfel_bl_3_st_2_motor_1/position";
const laser = "xfel_bl_3_lh1_shutter_1_open_valid/status";
const dual = "MPCCD-2N0-1-006";

async function open() {
  const source = tinySource();
  const endpoint = inProcess(endpointOf(source));
  return { source, st: new St(endpoint), run: await new Db(endpoint).run(3, 10) };
}

describe("filterShots", () => {
  it("drops by the first condition that fails, and accounts for every shot", async () => {
    const { run } = await open();
    const tags = await filterShots(run, [
      { name: "i0", equipId: bm1, between: [1e-9, 7e-9] },
      { equipId: motor, where: (pulse, tag) => pulse === tag * 10 && tag > 1000 },
    ]);
    expect([...tags]).toEqual([1006]);
    expect(tags.ledger).toEqual({
      asked: 6,
      used: 1,
      dropped: [
        { reason: "i0-out-of-limits", tags: [1000, 1002] },
        { reason: "i0-not-converged", tags: [1004] },
        { reason: "i0-saturated", tags: [1008] },
        { reason: "i0-missing", tags: [1010] },
      ],
    });
    const pumped = await filterShots(run, [
      { name: "laser", equipId: laser, equals: 1 },
      { equipId: motor, where: (pulse) => pulse > 10_020 },
      { equipId: motor, between: [10_060, 10_090] },
    ]);
    // The laser is on at 1002, 1006 and 1010.
    expect([...pumped]).toEqual([1006]);
    expect(pumped.ledger?.dropped).toEqual([
      { reason: "laser-is-not-1", tags: [1000, 1004, 1008] },
      { reason: `${motor}-refused`, tags: [1002] },
      { reason: `${motor}-out-of-limits`, tags: [1010] },
    ]);
  });

  it("never costs the frame of a shot it drops, and its ledger ends in the result's", async () => {
    const { source, st, run } = await open();
    const exposed = await run.exposedTags();
    const tags = await filterShots(exposed, [{ name: "i0", equipId: bm1, where: () => true }]);
    expect(source.asked.get("readFrame")).toBeUndefined();
    const shots = st.shots({ run, detectors: [dual], tags });
    const { ledger } = await reduce(shots, { average: mean() }, { selection: tags });
    // Of six shots one was left, and two sensors read for it: one image of them is missing.
    expect(source.asked.get("readFrame")).toBe(2);
    expect(ledger).toEqual({
      asked: 6,
      used: 0,
      dropped: [
        { reason: "dark", tags: [1000, 1002] },
        { reason: "i0-not-converged", tags: [1004] },
        { reason: "i0-saturated", tags: [1008] },
        { reason: "i0-missing", tags: [1010] },
        { reason: "frame-missing", tags: [1006] },
      ],
    });
    expect(tags.basis).toEqual(exposed.basis);
  });

  it("without a condition lets everything pass; of a choice goes on choosing", async () => {
    const { run } = await open();
    expect((await filterShots(run, [])).ledger).toEqual({ asked: 6, used: 6, dropped: [] });
    const twice = await filterShots(await filterShots(run, [{ name: "laser", equipId: laser, equals: 1 }]), [
      { name: "i0", equipId: bm1, between: [1e-9, 1e-8] },
    ]);
    expect([...twice]).toEqual([1006]);
    expect(twice.ledger).toEqual({
      asked: 6,
      used: 1,
      dropped: [
        { reason: "laser-is-not-1", tags: [1000, 1004, 1008] },
        { reason: "i0-out-of-limits", tags: [1002] },
        { reason: "i0-missing", tags: [1010] },
      ],
    });
  });

  it("refuses conditions that say nothing or too much, and an account that is not of these tags", async () => {
    const { st, run } = await open();
    const refused = (condition: object) =>
      expect(filterShots(run, [condition as never])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await refused({ equipId: bm1 });
    await refused({ equipId: bm1, between: [0, 1], equals: 1 });
    await refused({ equipId: bm1, between: [1, 0] });
    await refused({ equipId: bm1, betwixt: [0, 1] });
    await refused({ equipId: "", equals: 1 });
    await expect(filterShots(run, [{ equipId: "nope", equals: 1 }])).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
    const tags = await filterShots(run, [{ equipId: laser, equals: 1 }]);
    const shots = st.shots({ run, detectors: ["OPAL-234363"], tags: tags.slice(1) });
    await expect(reduce(shots, { average: mean() }, { selection: tags })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("3, those"),
    });
    await expect(reduce(shots, { average: mean() }, { selection: tags.slice(1) })).rejects.toMatchObject({
      message: expect.stringContaining("without a ledger"),
    });
  });
});
