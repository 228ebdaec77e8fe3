import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { withPage } from "../../../src/page/index.ts";
import { TimingDb } from "../../../src/timing/index.ts";
import type { CallParams, CallResult } from "../../../src/transport/methods.ts";
import { itInFull } from "../../support/full.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { TIMING_FIRST_TAG, TIMING_RUN, timingCamera, timingRunFile } from "../../support/timing-run.ts";

const folder = temporaryFolder();
const look = { bl: 3, run: TIMING_RUN, by: "fit", flagged: false, fsPerPixel: null, zeroPx: null } as const;

describe("timing edges on the page", () => {
  itInFull(
    "are found on the images, and taken from the user database, with their mean, scatter and histogram",
    async () => {
      const { path, images } = await timingRunFile(folder);
      const timingDb = join(folder, "tma.sqlite");
      await using facility = await connect(path);
      await using page = withClose(withPage(facility.endpoint, { timingDb }));
      const edgesOf = async (more: Partial<CallParams<"page.timing">>): Promise<CallResult<"page.timing">> =>
        await page.endpoint.call("page.timing", {
          ...look,
          from: "images",
          tmaId: null,
          camera: timingCamera,
          ...more,
        });
      const choices = async () => await page.endpoint.call("page.timingChoices", { bl: 3, run: TIMING_RUN });
      expect(await choices()).toEqual({ cameras: [timingCamera], tma: [] });
      // Without a user database.
      await expect(edgesOf({ from: "database", tmaId: 1 })).rejects.toMatchObject({ code: "UNKNOWN_TMA" });

      await edgesOf({});
      await expect.poll(async () => (await edgesOf({})).tags.length).toBe(images.length);
      const found = await edgesOf({});
      expect(found).toMatchObject({ state: "", error: null, total: images.length, unit: "px" });
      const off = found.edges.map((edge, i) => (edge - (images[i]?.edgePx ?? NaN)) / (found.errors[i] ?? NaN));
      const compared = off.filter(Number.isFinite);
      expect(compared.length).toBe(found.usable);
      expect(found.usable).toBeGreaterThan(60);
      expect(compared.filter((sigmas) => Math.abs(sigmas) < 4).length / compared.length).toBeGreaterThan(0.95);
      expect(found.flags["no-xrays"]).toBe(images.filter(({ xrays }) => !xrays).length);
      const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
      expect(found.summary.mean).toBeCloseTo(sum(found.edges.filter(Number.isFinite)) / found.usable, 9);
      expect(sum(found.summary.histogram?.counts ?? new Float64Array())).toBe(found.usable);
      const inFs = await edgesOf({ fsPerPixel: -2.6, zeroPx: 500 });
      expect(inFs.unit).toBe("fs");
      found.edges.forEach((edge, i) => {
        if (Number.isFinite(edge)) expect(inFs.edges[i]).toBeCloseTo(-2.6 * (edge - 500), 9);
      });

      const tags = [TIMING_FIRST_TAG, TIMING_FIRST_TAG + 2];
      {
        using db = TimingDb.open(timingDb, true);
        const id = db.create({ bl: 3, camera: timingCamera, comment: "night", configuration: {} });
        const edge = { ...nothing, derivativePx: 481.5, fittingPx: 480, errorPx: 2 };
        const run = await facility.run(3, TIMING_RUN);
        db.put(id, run.hightag, [
          { tag: tags[0] ?? 0, xrays: true, edge: { ...edge, flags: [], usable: true } },
          { tag: tags[1] ?? 0, xrays: true, edge: { ...edge, flags: ["weak"], usable: false } },
        ]);
      }
      expect((await choices()).tma).toEqual([{ id: 1, camera: timingCamera, comment: "night", shots: 2 }]);
      const kept = await edgesOf({ from: "database", tmaId: 1, by: "derivative" });
      expect([[...kept.tags], [...kept.edges], kept.usable, kept.flags]).toEqual([tags, [481.5, NaN], 1, { weak: 1 }]);
      expect([...(await edgesOf({ from: "database", tmaId: 1, flagged: true })).edges]).toEqual([480, 480]);
    },
  );

  it("come from the source, of the newest run when no run is named", async () => {
    await using facility = await connect("sim:?clock=virtual&seed=3");
    await using page = withClose(withPage(facility.endpoint));
    const run = await facility.run(3, 1519981);
    const edges = await run.timingEdges();
    const shown = await page.endpoint.call("page.timing", {
      ...look,
      run: run.number,
      from: "source",
      tmaId: null,
      camera: null,
    });
    expect([...shown.edges]).toEqual([...edges.fittingPx]);
    expect(shown.usable).toBe(edges.fittingPx.filter(Number.isFinite).length);
  });
});

const nothing = { depth: 0.2, depthError: 0.01, widthPx: 12, significance: 20, secondPx: NaN, secondDepth: NaN };

function withClose(endpoint: ReturnType<typeof withPage>): AsyncDisposable & { readonly endpoint: typeof endpoint } {
  return { endpoint, [Symbol.asyncDispose]: async () => await endpoint.close() };
}
