import { afterAll, describe, expect, it } from "vitest";
import { makeAccumulators } from "../../../src/batch/make.ts";
import { checkReductionRequest } from "../../../src/batch/request.ts";
import { requestFiles } from "../../../src/batch/request-files.ts";
import { groupDetectors } from "../../../src/core/detectors.ts";
import type { NdArray } from "../../../src/core/ndarray.ts";
import { Db } from "../../../src/db/index.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { lab6 } from "../../../src/facility/samples.ts";
import { Assembler, usable } from "../../../src/ip/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { imagesOf, St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { itInFull } from "../../support/full.ts";

const bl = 2;
const run = 228_989;
const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });
const endpoint = inProcess(endpointOf(facility));
const { ctdapyXfel } = new St(endpoint);
afterAll(async () => await endpoint.close());

describe("the simulated CITIUS 20.2M", () => {
  it("is one detector of 72 sensors, also where only the sensors are listed", () => {
    const ids = facility.detectors(bl, run);
    expect(ids.length).toBe(73);
    expect(groupDetectors(ids)).toEqual([{ id: "CITIUS-20.2M-001", sensors: ids.slice(1) }]);
    expect(groupDetectors(ids.slice(1))).toEqual([{ id: "CITIUS-20.2M-001", sensors: ids.slice(1) }]);
    expect(groupDetectors(["CITIUS1", "CITIUS-2.2M-001"]).map(({ id }) => id)).toEqual(["CITIUS1", "CITIUS-2.2M-001"]);
  });

  itInFull(
    "is put together by the Assembler: no sensor covers another, rings are where Bragg's law puts them",
    async () => {
      const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
      const infos = await buffer.detectorInfos();
      const masks = imagesOf(await buffer.readBadpixelMasks()).map(usable);
      const assembler = new Assembler(infos, { view: "source", masks });
      const covered = assembler.coverage().data.reduce((sum, n) => sum + n, 0);
      const good = masks.reduce((sum, mask) => sum + mask.data.reduce((a, b) => a + b, 0), 0);
      expect(covered / good).toBeGreaterThan(0.999);
      expect(covered / good).toBeLessThan(1.001);
      // Sensor 0 is at the top left as seen from the source, the last at the bottom right.
      expect(assembler.toSensor(200, 100)?.sensor).toBe("CITIUS-20.2M-001-000");
      expect(assembler.toSensor(assembler.width - 200, assembler.height - 100)?.sensor).toBe("CITIUS-20.2M-001-071");

      const images = assembler.inputs("float32");
      await buffer.readImages(images, (await buffer.readTaglist())[60] ?? 0);
      const picture = assembler.assemble(images, { out: assembler.output });
      const width = 250;
      const [sums, counts] = [new Float64Array(5000), new Float64Array(5000)];
      for (let row = 0; row < assembler.height; row++) {
        for (let column = 0; column < assembler.width; column++) {
          const value = picture.data[row * assembler.width + column] ?? NaN;
          if (Number.isNaN(value)) continue;
          const [x, y] = [column + 0.5 - assembler.width / 2, row + 0.5 - assembler.height / 2];
          const bin = Math.floor((72.6 * Math.sqrt(x * x + y * y)) / width);
          sums[bin] = (sums[bin] ?? 0) + value;
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
      }
      const profile = sums.map((sum, i) => sum / (counts[i] ?? 0));
      // L tan(2 asin(λ / 2d)) with λ = 12.39842 / 10 Å, a = 4.1569 Å, L = 120 mm.
      const expected = [1, 2, 3, 4, 5, 6, 8].map(
        (n) => 120_000 * Math.tan(2 * Math.asin((1.239842 * Math.sqrt(n)) / (2 * 4.1569))),
      );
      for (const radius of expected) {
        const bin = Math.floor(radius / width);
        const around = [...profile.slice(bin - 8, bin + 9)];
        expect(Math.abs(around.indexOf(Math.max(...around)) - 8)).toBeLessThanOrEqual(1);
      }
    },
  );

  it("has the bad pixels of the run in reductions too, also where the detector is one sensor", async () => {
    const db = new Db(endpoint);
    for (const [beamline, number, id] of [
      [bl, run, "CITIUS-20.2M-001-000"],
      [3, 1_519_972, "CITIUS1"],
    ] as const) {
      const recorded = new Uint8Array(728 * 384);
      facility.citius.readBadpixelMask(beamline, number, 0, recorded);
      const request = checkReductionRequest({
        corrections: [{ kind: "mask", pixels: "known" }],
        reducers: { mean: { kind: "mean" } },
      });
      const files = requestFiles(request);
      const made = await makeAccumulators(request, await db.run(beamline, number), [id], undefined, files);
      const reasons = (made.corrections[0]?.settings as Record<string, NdArray<Uint8Array>> | undefined)?.[id];
      expect(recorded.some((bad) => bad === 1)).toBe(true);
      expect(Buffer.compare(Buffer.from(reasons?.data ?? []), Buffer.from(recorded))).toBe(0);
    }
  });

  it("counts photons by Poisson: 68.5 ADU each at 10 keV, as many as the pulse energy says", async () => {
    const tags = facility.tags(bl, run);
    const out = new Float32Array(728 * 384);
    const detId = "CITIUS-20.2M-001-000";
    const bad = new Uint8Array(out.length);
    facility.citius.readBadpixelMask(bl, run, 0, bad);
    let [photons, expected, dark] = [0, 0, 0];
    const info = facility.detectorInfo(bl, run, detId).geometry;
    // Diffuse scattering 0.03 / (1 + r² / (40 mm)²)^1.5 and the rings, with horizontal polarisation and solid angle at
    // 120 mm. The sensor is turned by −90° but for 0.1°: its rows go left, its columns down.
    const rings = lab6(1, 300);
    const ringRadii = facility.truth.ringRadiiUm(bl, run);
    let perShot = 0;
    for (let row = 0; row < 728; row++) {
      const x = (info?.posXUm ?? 0) - 72.6 * (row + 0.5);
      for (let column = 0; column < 384; column++) {
        const y = (info?.posYUm ?? 0) - 72.6 * (column + 0.5);
        const squared = x * x + y * y;
        let light = 0.03 / (1 + squared / 40_000 ** 2) ** 1.5;
        for (const [k, radius] of ringRadii.entries())
          light += (rings[k]?.photons ?? 0) * Math.exp(-0.5 * ((Math.sqrt(squared) - radius) / 300) ** 2);
        const cosine = 120_000 / Math.sqrt(120_000 ** 2 + squared);
        perShot += light * cosine ** 3 * (1 - (x * x * cosine * cosine) / 120_000 ** 2);
      }
    }
    for (const tag of tags) {
      facility.readFrame(bl, run, detId, tag, out);
      const { hasXrays, pulseEnergyJ, photonEnergyEv } = facility.truth.shot(bl, 202501, tag);
      const adu = photonEnergyEv / 3.65 / 40;
      let found = 0;
      for (let i = 0; i < out.length; i++) if (bad[i] === 0) found += Math.round((out[i] ?? 0) / adu);
      if (!hasXrays) dark += found;
      else {
        photons += found;
        expected += (perShot * pulseEnergyJ) / 0.5e-3;
      }
    }
    expect(dark).toBe(0);
    expect(expected).toBeGreaterThan(1000);
    expect(photons / expected).toBeGreaterThan(0.97);
    expect(photons / expected).toBeLessThan(1.03);
  });

  it("gives the same image whenever and in whatever order it is asked", () => {
    const [a = 0, b = 0] = facility.tags(bl, run).subarray(40);
    const read = (tag: number, sensor: number): Float32Array => {
      const out = new Float32Array(728 * 384);
      facility.readFrame(bl, run, `CITIUS-20.2M-001-0${sensor}`, tag, out);
      return out;
    };
    const before = read(a, 40);
    read(b, 41);
    const isSame = (image: Float32Array): boolean => image.every((value, i) => value === before[i]);
    expect(isSame(read(a, 40))).toBe(true);
    expect(isSame(read(b, 40))).toBe(false);
    expect(isSame(read(a, 41))).toBe(false);
  });
});
