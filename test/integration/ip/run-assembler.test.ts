import { describe, expect, it } from "vitest";
import type { Image } from "../../../src/core/ndarray.ts";
import { connect } from "../../../src/index.ts";
import { assemblerFor } from "../../../src/reduce/index.ts";
import { cli } from "../../support/fake-io.ts";

const bytesOf = (image: Image | undefined): Uint8Array => new Uint8Array(image?.data.buffer ?? new ArrayBuffer(0));
const url = "sim:?clock=virtual";

describe("run.assembler", () => {
  it("is that of facility.picture: no edges, no bad pixels, seen from the source", async () => {
    await using facility = await connect(url);
    const run = await facility.run(3, 651240);
    const { id, sensors } = await run.findDetector();
    const infos = await Promise.all(sensors.map(async (sensor) => await run.detectorInfo(sensor)));
    const assembler = await run.assembler(id);
    const same = await assemblerFor(run, infos, "source");
    const ones = infos.map(({ ysize, xsize }) => new Float32Array(ysize * xsize).fill(1));
    const image = assembler.assemble(ones);
    expect(Buffer.compare(bytesOf(image), bytesOf(same?.assemble(ones)))).toBe(0);
    expect(image.data.filter(Number.isFinite).length).toBeLessThanOrEqual(sensors.length * 1024 * 512);
    const mirrored = await run.assembler(id, { view: "detector", gapValue: -1 });
    expect([mirrored.view, mirrored.assemble(ones).data.includes(-1)]).toEqual(["detector", true]);
  });

  it("refuses a misspelt option, a detector that is not there, and a camera", async () => {
    await using facility = await connect(url);
    const run = await facility.run(3, 1520000);
    await expect(run.assembler(undefined, { vew: "source" } as object)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(run.assembler("MPCCD-9")).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    await expect(run.assembler("OPAL-234363")).rejects.toMatchObject({ code: "BAD_GEOMETRY" });
  });
});

describe("the nearest dark", () => {
  it("is that of the run itself, else of the run nearest in time that has the detector", async () => {
    await using facility = await connect(url);
    const { db } = facility;
    const own = await facility.run(3, 1520000);
    expect(await db.nearestDark(own)).toBe(own);
    // These have no dark shots at their head; 220930 and 220933 are dark runs.
    const detector = "MPCCD-8B0-2-008";
    const found = [220931, 220932, 220935].map(async (run) =>
      db.nearestDark(await facility.run(2, run), { detector, within: 4 }),
    );
    expect((await Promise.all(found)).map((run) => run?.number)).toEqual([220930, 220933, 220933]);
    expect(
      await db.nearestDark(await facility.run(2, 220935), { detector: "MPCCD-8-2-002", within: 2 }),
    ).toBeUndefined();
  });

  it("is taken by --dark auto, which says which run and how far", async () => {
    const at = ["220935", "MPCCD-8B0-2-008-1", "--bl", "2", "-n", "1", "--url", url];
    const done = await cli(["average", ...at, "--dark", "auto"]);
    expect(done.err).toMatch(/^dark: of run 220933, which began (\d+ min )?\d+ s before run 220935\n$/);
    expect(done.code).toBe(0);
    expect((await cli(["average", ...at])).err).toContain("take the nearest run that has some, --dark auto");
  });
});
