import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { H5Browser } from "../../../src/hdf5/index.ts";
import { withPage } from "../../../src/page/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const fixture = fileURLToPath(new URL("../../../fixtures/tiny-octal.h5", import.meta.url));
const [BL, RUN] = [2, 300001];

describe("what the page asks of runs and files", () => {
  it("counts hits of a run's images, and finds the nearest dark", async () => {
    await using facility = await connect(fixture);
    const page = withPage(facility.endpoint);
    const run = await facility.run(BL, RUN);
    const [detector] = await run.detectors();
    const sensors = detector?.sensors ?? [];
    const exposed = await run.exposedTags();
    const darkTags = await run.darkTags();
    const dark: Record<string, Float64Array> = {};
    for await (const { images } of facility.shots({ run, detectors: sensors, tags: darkTags }))
      for (const [id, image] of Object.entries(images)) {
        const sum = dark[id] ?? new Float64Array(image.data.length);
        dark[id] = sum;
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (image.data[i] ?? 0) / darkTags.length;
      }
    let [shots, hits] = [0, 0];
    for await (const { images } of facility.shots({ run, detectors: sensors, tags: exposed })) {
      shots++;
      let lit = 0;
      for (const [id, { data }] of Object.entries(images))
        for (let i = 0; i < data.length; i++) if ((data[i] ?? 0) - (dark[id]?.[i] ?? 0) >= 50) lit++;
      if (lit >= 20) hits++;
    }
    const [rate] = await page.call("page.imageSummary", { bl: BL, run: RUN });
    expect(rate).toMatchObject({ name: "hit rate", value: (100 * hits) / shots, unit: "%" });
    expect(rate?.error, "all of four are not all of all").toBeGreaterThan(5);
    expect(rate?.note).toContain(`${shots} of ${exposed.length} shots; dark of run ${RUN} subtracted`);
    const summary = await page.call("page.summary", { bl: BL, run: RUN });
    expect(summary.find(({ name }) => name === "nearest dark")?.value).toBe(RUN);
  });

  it("knows where the beam is beside a single sensor, and has its rings", async () => {
    await using facility = await connect(fixture);
    const page = withPage(facility.endpoint);
    const run = await facility.run(BL, RUN);
    const [detector] = await run.detectors();
    const shot = { run: RUN, tag: (await run.tags()).at(-1) ?? 0 };
    const of = { bl: BL, dark: null, mean: 1, what: "all", hits: null, shot } as const;
    const profile = { unit: "r_mm", distanceMm: null, photonEnergyEv: null } as const;
    let compared = 0;
    for (const [row, column] of [
      [30, 40],
      [80, 30],
      [40, 90],
      [95, 95],
    ] as const) {
      const { sensor, xUm, yUm } = await page.call("page.pixel", { ...of, detId: detector?.id ?? "", row, column });
      if (sensor === null) continue;
      compared++;
      const { detId } = sensor;
      const alone = await page.call("page.pixel", { ...of, ...sensor });
      // The sensor pixel under a pixel of the picture is at most half of its diagonal away.
      const look = { region: null, side: 800, rois: [], profile };
      const { picture, rings } = await page.call("page.picture", { bl: BL, dark: null, detId, ...look, ...shot });
      const size = picture.pixelSizeUm ?? NaN;
      expect(Math.hypot((alone.xUm ?? NaN) - (xUm ?? NaN), (alone.yUm ?? NaN) - (yUm ?? NaN))).toBeLessThan(size);
      const [down, across] = [
        sensor.row + 0.5 - (picture.beam?.row ?? NaN),
        sensor.column + 0.5 - (picture.beam?.column ?? NaN),
      ];
      expect(size * Math.hypot(down, across)).toBeCloseTo(Math.hypot(alone.xUm ?? NaN, alone.yUm ?? NaN), 6);
      expect(rings?.rings.length).toBeGreaterThan(1);
      for (const { value, radius } of rings?.rings ?? []) expect(radius * size).toBeCloseTo(1000 * value, 6);
    }
    expect(compared).toBeGreaterThan(1);
  });

  it("writes a part of a picture as HDF5 with its numbers and places, and as PNG", async () => {
    await using facility = await connect(fixture);
    const page = withPage(facility.endpoint);
    const run = await facility.run(BL, RUN);
    const [detector] = await run.detectors();
    const detId = detector?.id ?? "";
    const tag = (await run.tags()).at(-1) ?? 0;
    const region = { rows: [10, 30] as [number, number], columns: [20, 60] as [number, number] };
    const shown = await page.call("page.picture", {
      ...{ bl: BL, detId, dark: null, region, side: 800, rois: [], profile: null, run: RUN, tag },
    });
    const { picture } = shown;
    const wish = {
      bl: BL,
      detId,
      dark: null,
      shot: { run: RUN, tag },
      mean: 1,
      what: "all",
      hits: null,
      region,
      scale: "linear",
    } as const;
    const h5 = await page.call("page.export", { ...wish, form: "h5", colourMap: "Turbo", range: [0, 1] });
    const folder = temporaryFolder();
    writeFileSync(join(folder, h5.name), h5.bytes);
    const browser = await H5Browser.open(folder);
    const slab = { offset: [0, 0], count: [20, 40], step: [1, 1] };
    const numbers = await browser.numbers(h5.name, "/picture", slab);
    const step = (picture.high - picture.low) / 65_534;
    numbers.forEach((value, i) => {
      const level = picture.levels[i] ?? 0;
      if (level === 65_535) expect(value).toBeNaN();
      else expect(Math.abs(value - (picture.low + level * step))).toBeLessThanOrEqual(step);
    });
    const one = { offset: [], count: [], step: [] };
    expect([...(await browser.numbers(h5.name, "/first_row", one))]).toEqual([10]);
    expect(await browser.texts(h5.name, "/detector")).toEqual([detId]);
    expect(await browser.look(h5.name, "/x_um")).toMatchObject({ shape: [40] });
    // Of a region beyond the picture the page shows the whole picture.
    const beyond = { rows: [60_000, 60_010] as [number, number], columns: [60_000, 60_010] as [number, number] };
    const all = await page.call("page.export", {
      ...{ ...wish, region: beyond, form: "h5", colourMap: "Turbo", range: [0, 1] },
    });
    writeFileSync(join(folder, all.name), all.bytes);
    expect(await browser.look(all.name, "/picture")).toMatchObject({ shape: picture.size });
    const png = await page.call("page.export", { ...wish, form: "png", colourMap: "Turbo", range: [0, 400] });
    expect(PNG.sync.read(Buffer.from(png.bytes)).width).toBeGreaterThan(40);
    expect(png.note).toContain("viridis instead of Turbo");
    expect(png.command).toContain(`sacla image ${RUN} ${detId} --tag ${tag} --no-dark --bl 2 --range=0,400`);
  });

  it("shows parts of datasets: a curve, a table, a picture, every n-th value of what is large", async () => {
    await using facility = await connect(fixture);
    const page = withPage(facility.endpoint, { files: fixture });
    const file = "tiny-octal.h5";
    expect((await page.call("page.files", {})).files.map(({ name }) => name)).toEqual([file]);
    const run = await facility.run(BL, RUN);
    const [detector] = await run.detectors();
    const id = detector?.sensors[0] ?? "";
    const path = `/run_${RUN}/detector_2d_1/tag_${(await run.tags()).at(0)}/detector_data`;
    const { shape } = await page.call("page.h5", { file, path });
    const picture = await page.call("page.h5Data", { file, path, at: [], as: "picture", from: 0, most: 16 });
    expect(picture.step).toBe(Math.ceil(Math.max(...(shape ?? [])) / 16));
    const table = await page.call("page.h5Data", { file, path, at: [], as: "table", from: 2, most: 16 });
    for await (const { images } of facility.shots({ run, detectors: [id], tags: (await run.tags()).slice(0, 1) })) {
      const image = images[id];
      expect(table.values[0]).toBe(image?.get(2, 0));
      expect(picture.values[picture.shape[1] + 1]).toBe(image?.get(picture.step, picture.step));
      const curve = await page.call("page.h5Data", { file, path, at: [3], as: "curve", from: 0, most: 2000 });
      expect(curve.values[5]).toBe(image?.get(3, 5));
    }
  });

  it("does not offer what its source has not", async () => {
    await using facility = await connect(fixture);
    const { methods } = await withPage(facility.endpoint).call("facility.describe", {});
    expect(methods).toContain("page.export");
    expect(methods.filter((method) => /page\.(h5|files|report)/.test(method))).toEqual([]);
    await expect(withPage(facility.endpoint).call("page.files", {})).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
