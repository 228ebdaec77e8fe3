import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { renderImage, renderLinePlot } from "../../../src/plot/index.ts";

const display = (value: object): Record<string, string> => {
  const show: unknown = (value as Record<symbol, unknown>)[Symbol.for("Jupyter.display")];
  return typeof show === "function" ? (show.call(value) as Record<string, string>) : {};
};

const facility = await connect("sim:?clock=virtual");
afterAll(async () => await facility.close());

describe("objects show themselves", () => {
  it("as one line or a table in console.log", async () => {
    const run = await facility.run(3, 651_251);
    expect(inspect(facility)).toMatch(/^Facility \{ db, st, live, ec/);
    expect(inspect(run)).toBe(
      'Run 651251 of beamline 3: stopped, 2018-03-16 22:02:25 JST, 168 s, "A CD-2B1-M03-001,stor1_09,stor1_10"',
    );
    expect(inspect({ run })).toContain("run: Run 651251");
    expect(inspect((await run.tags()).between(340_377_562, 340_377_571))).toBe(
      "10 tags of HighTag 201801, 340377562 to 340377571",
    );
    expect(inspect(await run.labels())).toMatch(/^ShotLabels of 10000 shots: 100 dark, \d+ on, \d+ off/);
    const table = await run.table(["xfel_bl_3_tc_bm_1_pd/charge"]);
    const lines = inspect(table).split("\n");
    expect(lines.length).toBe(13);
    expect(lines[1]).toMatch(/^ *tag +xfel_bl_3_tc_bm_1_pd\/charge \(C\)$/);
    expect(lines[2]).toMatch(/^340377562 +not-converged$/);
    expect(lines[7]).toMatch(/^ *… +…$/);
    expect(display(table)["text/html"]).toMatch(/^<p>10000 shots<\/p><table><tr><th>tag<\/th>/);
  });

  it("as pictures in notebooks, and in nothing else", () => {
    const png = renderImage(asImage(Float32Array.of(1, 2, 3, 4), 2, 2));
    expect(Buffer.from(display(png)["image/png"] ?? "", "base64").equals(png)).toBe(true);
    expect(Object.keys(png).length).toBe(png.length);
    const plot = renderLinePlot([{ x: [1, 2], y: [3, 4] }]);
    expect(display(plot)["image/png"]).toMatch(/^iVBOR/);
  });

  it("and a comment that would steer the terminal is shown by its letters", async () => {
    const run = await facility.run(3, 651_251);
    Object.assign(run.info, { comment: "\u001b[2Jgone" });
    expect(inspect(run)).toContain(String.raw`\u001b[2Jgone`);
  });
});
