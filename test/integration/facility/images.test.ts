import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { createSimulatedFacility, demoRun, VirtualClock } from "../../../src/facility/index.ts";
import { endpointOf } from "../../../src/source/index.ts";
import { EdgeFinder } from "../../../src/timing/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { itInFull, times } from "../../support/full.ts";

const ROWS = 1024;
const COLUMNS = 512;
const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });

function image(bl: number, run: number, detId: string, tag: number, from = facility): Float32Array {
  const out = new Float32Array(ROWS * COLUMNS);
  expect(from.readFrame(bl, run, detId, tag, out)).toBe(true);
  return out;
}

/** Sum of images, pedestal taken off each. */
function corrected(bl: number, run: number, detId: string, tags: Iterable<number>): Float64Array {
  const { pedestalAdu } = facility.truth.sensor(bl, run, detId);
  const sum = new Float64Array(ROWS * COLUMNS);
  for (const tag of tags) {
    const frame = image(bl, run, detId, tag);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (frame[i] ?? 0) - (pedestalAdu[i] ?? 0);
  }
  return sum;
}

/** Distance from the beam of every pixel, by the frame of docs: columns (cos a, sin a), rows (sin a, −cos a). */
function radii(bl: number, run: number, detId: string): Float64Array {
  const g = facility.detectorInfo(bl, run, detId).geometry;
  if (g === null) throw new Error(`${detId} has no geometry`);
  const a = (g.rotationDeg * Math.PI) / 180;
  const out = new Float64Array(ROWS * COLUMNS);
  for (let r = 0, i = 0; r < ROWS; r++) {
    for (let c = 0; c < COLUMNS; c++, i++) {
      const x = g.posXUm + 50 * (c + 0.5) * Math.cos(a) + 50 * (r + 0.5) * Math.sin(a);
      const y = g.posYUm + 50 * (c + 0.5) * Math.sin(a) - 50 * (r + 0.5) * Math.cos(a);
      out[i] = Math.hypot(x, y);
    }
  }
  return out;
}

function mean(values: Iterable<number>): number {
  let [sum, n] = [0, 0];
  for (const value of values) {
    sum += value;
    n++;
  }
  return sum / n;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const covariance = mean(a.map((v, i) => (v - ma) * ((b[i] ?? 0) - mb)));
  return covariance / Math.sqrt(mean(a.map((v) => (v - ma) ** 2)) * mean(b.map((v) => (v - mb) ** 2)));
}

describe("an image", () => {
  it("is the same whoever asks, in any order, whatever the clock", () => {
    const tags = facility.tags(3, demoRun.run).slice(100, 103);
    const ids = ["MPCCD-8N0-3-002-1", "MPCCD-8N0-3-002-5"];
    const asked = tags.slice().reverse();
    const other = createSimulatedFacility({ speed: 50, missingRate: 0 });
    const images = new Map<string, Float32Array>(
      [...asked].flatMap((tag) => ids.map((id) => [`${tag} ${id}`, image(3, demoRun.run, id, tag, other)] as const)),
    );
    // toEqual takes a second for an image, so the bytes are compared.
    const isSame = (a: Float32Array | undefined, b: Float32Array): boolean =>
      a !== undefined && Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;
    for (const id of ids)
      for (const tag of tags) expect(isSame(images.get(`${tag} ${id}`), image(3, demoRun.run, id, tag))).toBe(true);
    const [tag = 0, next = 0] = tags;
    const [id = ""] = ids;
    expect(isSame(image(3, demoRun.run, "OPAL-234363", tag), image(3, demoRun.run, "OPAL-234363", tag, other))).toBe(
      true,
    );
    expect(isSame(image(3, demoRun.run, id, tag), image(3, demoRun.run, id, next))).toBe(false);
    expect(
      isSame(
        image(3, demoRun.run, id, tag),
        image(3, demoRun.run, id, tag, createSimulatedFacility({ seed: 2, missingRate: 0 })),
      ),
    ).toBe(false);
  });

  // The same in every runtime and on every machine: whoever changes these changes what everybody's seeds give.
  it.each([
    ["photons one by one", 3, demoRun.run, "MPCCD-8N0-3-002-3", 100, "6ae80300c0c96fb9"],
    ["a number of photons in each pixel", 3, 1_081_050, "MPCCD-1N0-M06-002", 200, "c6ed0c4181b06b87"],
    ["no light", 3, 651_264, "MPCCD-2B1-M03-001-1", 5, "e8bb3acc7543d140"],
  ] as const)("has these bits: %s", (_, bl, run, id, index, digest) => {
    const out = new Uint16Array(ROWS * COLUMNS);
    facility.readFrame(bl, run, id, facility.tags(bl, run)[index] ?? 0, out);
    expect(createHash("sha256").update(new Uint8Array(out.buffer)).digest("hex").slice(0, 16)).toBe(digest);
  });

  it("is in whole ADU, from the dark level up to saturation", () => {
    const frame = image(3, 1081050, "MPCCD-1N0-M06-002", facility.tags(3, 1081050)[200] ?? 0);
    expect(frame.every(Number.isInteger)).toBe(true);
    expect(frame.reduce((a, b) => Math.min(a, b))).toBeGreaterThan(30);
    expect(frame.reduce((a, b) => Math.max(a, b))).toBe(65535);
  });

  it("does not exist for a tag between two images", () => {
    const out = new Float32Array(ROWS * COLUMNS);
    const [tag] = facility.tags(2, 220_934);
    expect(facility.readFrame(2, 220_934, "MPCCD-8B0-2-008-1", (tag ?? 0) + 1, out)).toBe(false);
  });
});

describe("missing images", () => {
  it("come at the rate asked for, each detector its own, and are left out of its tag list", () => {
    const lossy = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0.05 });
    const all = lossy.tags(3, 651251);
    const [one, two, both] = ["-1", "-2", ""].map((n) => new Set(lossy.tags(3, 651251, `MPCCD-2B1-M03-001${n}`)));
    // Binomial: 500 ± 22.
    for (const kept of [one, two]) expect(Math.abs(all.length - (kept?.size ?? 0) - 500)).toBeLessThan(110);
    expect([...all].filter((tag) => one?.has(tag) && two?.has(tag))).toEqual([...(both ?? [])]);
    const out = new Float32Array(ROWS * COLUMNS);
    for (const tag of all.slice(0, 60))
      expect(lossy.readFrame(3, 651251, "MPCCD-2B1-M03-001-1", tag, out)).toBe(one?.has(tag));
  });
});

describe("a dark image", () => {
  const id = "MPCCD-2B1-M03-001-1";
  const tags = facility.tags(3, 651264).slice(0, times(60, 20));
  const sum = new Float64Array(ROWS * COLUMNS);
  const squares = new Float64Array(ROWS * COLUMNS);
  for (const tag of tags) {
    image(3, 651264, id, tag).forEach((v, i) => {
      sum[i] = (sum[i] ?? 0) + v;
      squares[i] = (squares[i] ?? 0) + v * v;
    });
  }
  const average = sum.map((v) => v / tags.length);
  const { pedestalAdu, hotPixels, deadPixels } = facility.truth.sensor(3, 651264, id);
  const bad = new Set([...hotPixels, ...deadPixels]);

  it("has port p of 64 columns at 100 + 3p ADU", () => {
    for (let port = 0; port < 8; port++) {
      const values = [...average].filter((_, i) => Math.floor((i % COLUMNS) / 64) === port && !bad.has(i));
      // 0.5 ADU of common drift, twice.
      expect(Math.abs(mean(values) - (100 + 3 * port))).toBeLessThan(1.5);
    }
  });

  it("averages to the true pattern, with 200 electrons of noise", () => {
    const offsets = [...average].map((v, i) => v - (pedestalAdu[i] ?? 0)).filter((_, i) => !bad.has(i));
    const drift = mean(offsets);
    const spread = Math.sqrt(mean(offsets.map((v) => (v - drift) ** 2)));
    // 200 e⁻ / 17.8 e⁻/ADU, 1 ADU per row, rounding: 11.28 ADU, over the root of the shots.
    expect(spread).toBeCloseTo(11.28 / Math.sqrt(tags.length), 1);
    const variances = [...average].map((v, i) => (squares[i] ?? 0) / tags.length - v * v).filter((_, i) => !bad.has(i));
    expect(Math.sqrt((mean(variances) * tags.length) / (tags.length - 1))).toBeCloseTo(11.28, 1);
  });

  it("has 0.05 % of bad pixels: hot ones far above, dead ones that never change", () => {
    expect(bad.size).toBe(262);
    for (const i of hotPixels) expect((average[i] ?? 0) - (pedestalAdu[i] ?? 0)).toBeGreaterThan(280);
    for (const i of deadPixels) expect((squares[i] ?? 0) / tags.length - (average[i] ?? 0) ** 2).toBeCloseTo(0, 6);
    const far = [...average].filter((v, i) => Math.abs(v - (pedestalAdu[i] ?? 0)) > 100).length;
    expect(far).toBe(hotPixels.length);
  });

  it("also begins an exposed run, and comes when the beam is off", () => {
    const off = [...facility.tags(3, 651236)].find(
      (tag, i) => i >= 100 && !facility.truth.shot(3, 201801, tag).hasBeam,
    );
    for (const tag of [facility.tags(3, 651236)[99], off]) {
      const frame = image(3, 651236, id, tag ?? 0);
      const bright = frame.filter((v, i) => !bad.has(i) && v - (pedestalAdu[i] ?? 0) > 75).length;
      expect(bright).toBe(0);
    }
    const lit = image(3, 651236, id, facility.tags(3, 651236)[101] ?? 0);
    expect(lit.filter((v, i) => !bad.has(i) && v - (pedestalAdu[i] ?? 0) > 75).length).toBeGreaterThan(2000);
  });
});

describe("photons", () => {
  it("stand out in the histogram where 10 keV should be: 10000 / 3.65 / 17.8 = 153.9 ADU", () => {
    const id = "MPCCD-2N0-M02-001-1";
    const { pedestalAdu } = facility.truth.sensor(3, 1360991, id);
    const counts = new Float64Array(601);
    for (const tag of facility.tags(3, 1360991).slice(100, 140)) {
      image(3, 1360991, id, tag).forEach((v, i) => {
        const bin = Math.round(v - (pedestalAdu[i] ?? 0)) + 100;
        if (bin >= 0 && bin < counts.length) counts[bin] = (counts[bin] ?? 0) + 1;
      });
    }
    const at = (adu: number): number => mean(counts.slice(100 + adu - 3, 100 + adu + 4));
    // Centre of gravity of the bins round the peak.
    let [weight, moment] = [0, 0];
    for (let adu = 139; adu <= 169; adu++) {
      const n = (counts[100 + adu] ?? 0) - (at(215) + at(80)) / 2;
      weight += n;
      moment += n * adu;
    }
    expect(Math.abs(moment / weight - 153.9)).toBeLessThan(2);
    expect(at(154)).toBeGreaterThan(10 * at(85));
    expect(at(154)).toBeGreaterThan(50 * at(215));
    expect(at(308)).toBeGreaterThan(3 * at(260));
  });

  it("follow BM1 from shot to shot", () => {
    const id = "MPCCD-8B0-2-008-3";
    const tags = facility.tags(2, 220_934).slice(0, times(60, 25));
    const charge = [...facility.column("xfel_bl_2_tc_bm_1_pd/charge", 202402, tags).values];
    const adu = [...tags].map((tag) => image(2, 220_934, id, tag).reduce((a, b) => a + b, 0));
    expect(correlation(charge, adu)).toBeGreaterThan(0.95);
  });
});

describe("powder rings", () => {
  const ids = Array.from({ length: 8 }, (_, i) => `MPCCD-8B0-2-008-${i + 1}`);
  const tags = facility.tags(2, 220_934).slice(0, 4);
  const [inner, strong] = facility.truth.ringRadiiUm(2, 220_934);

  it("have the radii of LaB6 at 10 keV and 80 mm", () => {
    // 2θ of 100 and 110 from λ = 1.239842 Å and a = 4.1569 Å, by hand: 17.153° and 24.352°.
    expect(inner).toBeCloseTo(80_000 * Math.tan((17.153 * Math.PI) / 180), -1);
    expect(strong).toBeCloseTo(80_000 * Math.tan((24.352 * Math.PI) / 180), -1);
  });

  itInFull("lie at the same radius on each of the eight sensors, to a fifth of a pixel", () => {
    const found = ids.map((id) => {
      const light = corrected(2, 220_934, id, tags);
      const distance = radii(2, 220_934, id);
      // Background from both sides, then the centre of gravity per area: each 50 µm bin is a mean over its pixels.
      const sums = new Float64Array(41);
      const counts = new Float64Array(41);
      for (let i = 0; i < light.length; i++) {
        const bin = Math.floor(((distance[i] ?? 0) - (strong ?? 0)) / 50 + 20.5);
        if (bin < 0 || bin >= sums.length || (light[i] ?? 0) > 5000) continue;
        sums[bin] = (sums[bin] ?? 0) + (light[i] ?? 0);
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      const profile = sums.map((v, bin) => v / (counts[bin] ?? 1));
      const background = mean([...profile.slice(0, 4), ...profile.slice(-4)]);
      let [weight, moment] = [0, 0];
      profile.slice(8, 33).forEach((v, k) => {
        weight += v - background;
        moment += (v - background) * (k - 12) * 50;
      });
      expect(Math.max(...profile) - background).toBeGreaterThan(200);
      return moment / weight;
    });
    for (const offsetUm of found) expect(Math.abs(offsetUm)).toBeLessThan(10);
  });

  it("go on across a gap with the same brightness", () => {
    // The strong ring crosses from sensor 1 to 5 above the beam, where polarisation does not change along it.
    const [left, right] = [ids[0] ?? "", ids[4] ?? ""].map((id) => {
      const expected = facility.truth.sensor(2, 220_934, id).expectedPhotons;
      const distance = radii(2, 220_934, id);
      const g = facility.detectorInfo(2, 220_934, id).geometry;
      let [light, n, predicted] = [0, 0, 0];
      const sum = corrected(2, 220_934, id, tags);
      for (let i = 0; i < sum.length; i++) {
        const y = g === null ? 0 : g.posYUm + 50 * (i % COLUMNS) * Math.sin((g.rotationDeg * Math.PI) / 180);
        if (Math.abs((distance[i] ?? 0) - (strong ?? 0)) > 200 || y < 33_000) continue;
        light += sum[i] ?? 0;
        predicted += expected[i] ?? 0;
        n++;
      }
      expect(n).toBeGreaterThan(1000);
      const { aduPerPhoton } = facility.truth.sensor(2, 220_934, id);
      return { perPixel: light / aduPerPhoton / n, predicted: predicted / n };
    });
    expect((left?.perPixel ?? 0) / (right?.perPixel ?? 1)).toBeCloseTo(1, 1);
    expect((left?.predicted ?? 0) / (right?.predicted ?? 1)).toBeCloseTo(1, 1);
  });
});

describe("the pump laser", () => {
  itInFull("changes the rings after t0 by the true response and leaves them alone before", () => {
    const id = "MPCCD-8N0-3-002-3";
    const distance = radii(3, demoRun.run, id);
    const rings = facility.truth.ringRadiiUm(3, demoRun.run).slice(0, 2);
    // +1 on a ring, −share beside it, so that diffuse light and drift cancel.
    const nearest = distance.map((r) => Math.min(...rings.map((ring) => Math.abs(r - ring))));
    const onRing = nearest.map((d) => (d < 450 ? 1 : 0));
    const beside = nearest.map((d) => (d > 700 && d < 1100 ? 1 : 0));
    const share = onRing.reduce((a, b) => a + b, 0) / beside.reduce((a, b) => a + b, 0);
    const weight = onRing.map((on, i) => on - share * (beside[i] ?? 0));
    const signal = { before: { on: 0, off: 0 }, after: { on: 0, off: 0 } };
    const energy = { before: { on: 0, off: 0 }, after: { on: 0, off: 0 } };
    const factors: number[] = [];
    for (const tag of facility.tags(3, demoRun.run).slice(60)) {
      const shot = facility.truth.shot(3, 202501, tag);
      const when = shot.delayFs < -500 ? "before" : shot.delayFs > 700 ? "after" : undefined;
      if (when === undefined || !shot.hasXrays) continue;
      const which = shot.isPumped ? "on" : "off";
      const frame = image(3, demoRun.run, id, tag);
      signal[when][which] += frame.reduce((sum, v, i) => sum + v * (weight[i] ?? 0), 0);
      energy[when][which] += shot.pulseEnergyJ;
      if (when === "after" && shot.isPumped) factors.push(shot.ringFactor);
    }
    const ratio = (when: "before" | "after"): number =>
      signal[when].on / energy[when].on / (signal[when].off / energy[when].off);
    expect(mean(factors)).toBeLessThan(0.975);
    expect(Math.abs(ratio("after") - mean(factors))).toBeLessThan(0.012);
    expect(Math.abs(ratio("before") - 1)).toBeLessThan(0.025);
  });
});

describe("the timing camera", () => {
  it("shows the edge at the true column, in whole grey values, and none in the dark", () => {
    const [rows, columns] = [256, 2048];
    const project = (tag: number): Float64Array => {
      const out = new Float32Array(rows * columns);
      expect(facility.readFrame(3, demoRun.run, "OPAL-234363", tag, out)).toBe(true);
      expect(out.every((v) => Number.isInteger(v) && v >= 0 && v <= 4095)).toBe(true);
      const sum = new Float64Array(columns);
      out.forEach((v, i) => {
        sum[i % columns] = (sum[i % columns] ?? 0) + v;
      });
      return sum;
    };
    const tags = facility.tags(3, demoRun.run);
    const background = new Float64Array(columns);
    for (const tag of tags.slice(0, 20)) {
      project(tag).forEach((v, x) => {
        background[x] = (background[x] ?? 0) + v / 20;
      });
    }
    let found = 0;
    for (const tag of tags.slice(60, 75)) {
      const { edgeDepth, secondEdgePixel } = facility.truth.shot(3, 202501, tag);
      if (edgeDepth < 0.1 || !Number.isNaN(secondEdgePixel)) continue;
      found++;
      const ratio = project(tag).map((v, x) => v / (background[x] ?? 1));
      const step = (x: number): number => mean(ratio.slice(x - 80, x)) - mean(ratio.slice(x, x + 80));
      let best = 100;
      for (let x = 100; x < columns - 100; x++) if (step(x) > step(best)) best = x;
      expect(Math.abs(best - facility.truth.shot(3, 202501, tag).edgePixel)).toBeLessThan(12);
      expect(step(best)).toBeGreaterThan(0.6 * edgeDepth);
    }
    expect(found).toBeGreaterThan(8);
  });

  itInFull(
    "shows edges that the finder finds where the X-rays arrived, through fringes that drift, and dark pictures",
    () => {
      const [rows, columns] = [256, 2048];
      // The middle of the picture: all that the test has time for.
      const roi = { rows: [124, 132], columns: [0, columns] } as const;
      const all = facility.tags(3, demoRun.run);
      const shots = [...all].slice(40, 82).map((tag) => {
        const out = new Uint16Array(rows * columns);
        facility.readFrame(3, demoRun.run, "OPAL-234363", tag, out);
        return { truth: facility.truth.shot(3, 202501, tag), image: asImage(out, rows, columns) };
      });
      const samples = shots.map(({ image, truth }) => ({ image, xrays: truth.hasXrays }));
      const finder = EdgeFinder.learn(samples, { roi });
      expect(finder.summary.fringePeriodsPx.map(Math.round)).toContain(37);
      const found = shots.flatMap(({ image, truth }) => {
        const edge = finder.find(image);
        if (!truth.hasXrays || truth.edgeDepth === 0) expect(edge.usable).toBe(false);
        return edge.usable ? [{ ...edge, off: edge.fittingPx - truth.edgePixel }] : [];
      });
      expect(found.length).toBeGreaterThan(15);
      const pulls = found.map(({ off, errorPx }) => Math.abs(off) / errorPx).toSorted((a, b) => a - b);
      expect(pulls[pulls.length >> 1]).toBeLessThan(1.2);
      expect(Math.abs(found.reduce((sum, { off }) => sum + off, 0) / found.length)).toBeLessThan(1.5);
    },
  );

  it("has no edge at one shot in a hundred, and at three in a thousand no laser", () => {
    const [first = 0] = facility.tags(3, demoRun.run).slice(60);
    const tags = facility.tagsBetween(3, 202501, first, first + 20_000);
    const failed = [...tags].filter((tag) => {
      const { hasXrays, edgeDepth } = facility.truth.shot(3, 202501, tag);
      return hasXrays && edgeDepth === 0;
    });
    expect(failed.length / tags.length).toBeGreaterThan(0.01);
    expect(failed.length / tags.length).toBeLessThan(0.018);
  });

  it("has neither gain nor geometry", () => {
    expect(facility.detectorInfo(3, demoRun.run, "OPAL-234363")).toEqual({
      id: "OPAL-234363",
      xsize: 2048,
      ysize: 256,
      absGain: null,
      geometry: null,
      pixelType: "uint16",
    });
  });
});

describe("the image of a whole octal", () => {
  it("comes through the endpoint put together", async () => {
    const endpoint = inProcess(endpointOf(facility));
    const tag = facility.tags(2, 220_934)[0] ?? 0;
    const { frame } = await endpoint.call("st.collect", { detId: "MPCCD-8B0-2-008", bl: 2, runs: [220_934], tag });
    expect(frame.shape).toEqual([2399, 2399]);
  });
});
