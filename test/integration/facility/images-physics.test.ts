import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { createSimulatedFacility, demoRun, VirtualClock } from "../../../src/facility/index.ts";
import { NOISE_STEP, noiseIncrement, noiseTable, noiseTails } from "../../../src/facility/noise.ts";
import { makePattern } from "../../../src/facility/pattern.ts";
import { plannedRun } from "../../../src/facility/planned-run.ts";
import { samples } from "../../../src/facility/samples.ts";
import { sensorCanvas } from "../../../src/facility/sensor-canvas.ts";

const [ROWS, COLUMNS] = [1024, 512];
const facility = createSimulatedFacility({ clock: new VirtualClock() });
const LAB6 = 4.1569;

function image(bl: number, run: number, detId: string, tag: number): Float32Array {
  const out = new Float32Array(ROWS * COLUMNS);
  expect(facility.readFrame(bl, run, detId, tag, out)).toBe(true);
  return out;
}

describe("powder rings", () => {
  it("are all lines of LaB6 within reach, (210) too", () => {
    // 2d sin θ = λ = 1.239842 Å at 10 keV, radius 80 mm · tan 2θ, by hand; up to h² + k² + l² = 6 on the octal.
    const wanted = [1, 2, 3, 4, 5, 6].map(
      (squares) => 80_000 * Math.tan(2 * Math.asin((1.239842 * Math.sqrt(squares)) / (2 * LAB6))),
    );
    const radii = facility.truth.ringRadiiUm(3, demoRun.run);
    for (const [k, radius] of wanted.entries()) expect(radii[k]).toBeCloseTo(radius, -1);
  });

  it("fall by exp(−q²Δu²/3) under the laser: (211) by three times the share of (110)", () => {
    const experiment = plannedRun(3, demoRun.run)?.experiment;
    if (experiment === undefined) throw new Error("no run");
    // Up and to the right of the beam: from (110) to (211).
    const place = { posXUm: 20_000, posYUm: 75_000, posZUm: 0, rotationDeg: 0, manipulatorShiftUm: 0 };
    const geometry = { ...place, pixelSizeXUm: 50, pixelSizeYUm: 50 };
    const pattern = makePattern(
      { ...experiment, sample: { ...samples.powderOnOctal, spots: [], diffuse: { photons: 0, radiusUm: 1 } } },
      geometry,
    );
    const canvas = sensorCanvas();
    const lit = canvas.light("test", () => pattern);
    const q2 = (squares: number): number => (4 * Math.PI ** 2 * squares) / LAB6 ** 2;
    const factors = pattern.rings.map(({ dSpacingAngstrom: d }) => Math.exp((-4 * (Math.PI / d) ** 2 * 0.0406) / 3));
    const light = (ringFactors: readonly number[], seed: number): number[] => {
      canvas.image.fill(0);
      canvas.seed(new Random(seed));
      canvas.addPhotons(lit, { aduPerPhoton: 1, intensity: 30, ringFactors, cloudUm: 0.1 });
      const sums = pattern.rings.map(() => 0);
      canvas.image.forEach((photons, i) => {
        const ring = pattern.ringOf[i] ?? 0;
        sums[ring] = (sums[ring] ?? 0) + photons;
      });
      return sums;
    };
    const [off, on] = [
      light(
        factors.map(() => 1),
        1,
      ),
      light(factors, 2),
    ];
    for (const [ring, squares] of [
      [1, 2],
      [4, 5],
      [5, 6],
    ] as const) {
      const ratio = (on[ring] ?? 0) / (off[ring] ?? 1);
      const error = ratio * Math.sqrt(1 / (on[ring] ?? 1) + 1 / (off[ring] ?? 1));
      expect(Math.abs(ratio - Math.exp((-q2(squares) * 0.0406) / 3))).toBeLessThan(4 * error);
      expect(error).toBeLessThan(0.02);
    }
    // The facility's own shots have this displacement.
    const shots = [...facility.tags(3, demoRun.run)].map((tag) => facility.truth.shot(3, 202501, tag));
    const late = shots.filter(({ isPumped, delayFs }) => isPumped && delayFs > 700 && delayFs < 1500);
    for (const { displacementA2, delayFs, ringFactor } of late) {
      expect(displacementA2).toBeCloseTo(0.0406 * Math.exp(-delayFs / 5000), 4);
      expect(ringFactor).toBeCloseTo(Math.exp((-q2(2) * displacementA2) / 3), 9);
    }
    expect(late.length).toBeGreaterThan(10);
  });
});

describe("diffuse scattering", () => {
  it("has the polarisation and the solid angle of a flat detector", () => {
    const experiment = plannedRun(3, demoRun.run)?.experiment;
    if (experiment === undefined) throw new Error("no run");
    const flat = { name: "", distanceMm: 80, rings: [], spots: [], diffuse: { photons: 1, radiusUm: 1e9 } };
    const place = { posZUm: 0, rotationDeg: 0, pixelSizeXUm: 50, pixelSizeYUm: 50, manipulatorShiftUm: 0 };
    const { expected } = makePattern({ ...experiment, sample: flat }, { ...place, posXUm: 0, posYUm: 0 });
    for (const [row, column] of [
      [0, 0],
      [3, 500],
      [1000, 3],
      [1000, 500],
    ] as const) {
      const [x, y] = [50 * (column + 0.5), -50 * (row + 0.5)];
      const twoTheta = Math.atan2(Math.sqrt(x * x + y * y), 80_000);
      const horizontal = Math.sin(twoTheta) * Math.cos(Math.atan2(y, x));
      const wanted = (1 - horizontal ** 2) * Math.cos(twoTheta) ** 3;
      expect(expected[row * COLUMNS + column]).toBeCloseTo(wanted, 5);
    }
  });
});

describe("the charge cloud", () => {
  it("is 7 µm rms in 300 µm of silicon (phase III), and 1.2 µm in 50 µm", () => {
    const shared = (bl: number, run: number, id: string): number => {
      const { pedestalAdu, aduPerPhoton } = facility.truth.sensor(bl, run, id);
      let [whole, split] = [0, 0];
      for (const tag of facility.tags(bl, run).slice(110, 116)) {
        const frame = image(bl, run, id, tag).map((v, i) => (v - (pedestalAdu[i] ?? 0)) / aduPerPhoton);
        frame.forEach((v) => {
          if (v > 0.88 && v < 1.15) whole++;
          else if (v > 0.4 && v < 0.7) split++;
        });
      }
      return split / whole;
    };
    expect(shared(3, 651_251, "MPCCD-2B1-M03-001-1")).toBeGreaterThan(0.3);
    expect(shared(3, 1_360_991, "MPCCD-2N0-M02-001-1")).toBeLessThan(0.1);
  });
});

/** Over every shift by which half of two rows or more lie on each other. */
function largestCorrelation(a: Float64Array, b: Float64Array): number {
  let largest = 0;
  for (let shift = -COLUMNS / 2; shift <= COLUMNS / 2; shift++) {
    let sum = 0;
    const [from, to] = [Math.max(0, -shift), Math.min(COLUMNS, COLUMNS - shift)];
    for (let i = from; i < to; i++) sum += (a[i] ?? 0) * (b[i + shift] ?? 0);
    largest = Math.max(largest, sum / (to - from));
  }
  return largest;
}

describe("noise", () => {
  it("of an image is normal: rms and kurtosis of pixels, rows of 1 ADU, neighbours independent", () => {
    const canvas = sensorCanvas();
    const pedestal = canvas.dark("MPCCD-2B1-M03-001-1");
    canvas.seed(new Random(6));
    canvas.portOffset.fill(0.5);
    canvas.drawDark(pedestal, 11);
    const noise = Float64Array.from(canvas.image, (v, i) => v - (pedestal.pedestal[i] ?? 0));
    const rows = Float64Array.from(canvas.rowOffset);
    const rowSpread = Math.sqrt(rows.reduce((sum, v) => sum + v * v, 0) / ROWS);
    expect(Math.abs(rowSpread - 1)).toBeLessThan(5 / Math.sqrt(2 * ROWS));
    let [squares, fourths, across, along] = [0, 0, 0, 0];
    noise.forEach((v, i) => {
      const own = v - (rows[Math.floor(i / COLUMNS)] ?? 0);
      noise[i] = own;
      squares += own ** 2;
      fourths += own ** 4;
      across += own * (i >= 1 ? (noise[i - 1] ?? 0) : 0);
      along += own * (i >= COLUMNS ? (noise[i - COLUMNS] ?? 0) : 0);
    });
    const n = noise.length;
    // Rounding to whole ADU adds 1/12 to the variance.
    const variance = squares / n;
    expect(Math.abs(variance / (121 + 1 / 12) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(fourths / n / variance ** 2 - 3)).toBeLessThan(5 * Math.sqrt(24 / n));
    for (const covariance of [across, along])
      expect(Math.abs(covariance / n / variance)).toBeLessThan(5 / Math.sqrt(n));
  });

  const row = (random: Random, length: number): Float64Array => {
    let state = random.int32();
    const increment = noiseIncrement(random);
    return Float64Array.from({ length }, () => {
      state = (Math.imul(state, NOISE_STEP) + increment) | 0;
      return noiseTable()[state >>> 16] ?? NaN;
    });
  };

  it("is not repeated: no two of 80 rows of an image are alike at any shift", () => {
    const id = "MPCCD-2B1-M03-001-1";
    const { pedestalAdu } = facility.truth.sensor(3, 651_264, id);
    const tag = facility.tags(3, 651_264)[5] ?? 0;
    const frame = image(3, 651_264, id, tag);
    const rows = Array.from({ length: 80 }, (_, r) => {
      const own = Float64Array.from(
        { length: COLUMNS },
        (_, c) => (frame[r * COLUMNS + c] ?? 0) - (pedestalAdu[r * COLUMNS + c] ?? 0),
      );
      const median = own.slice().sort()[COLUMNS / 2] ?? 0;
      const flat = own.map((v) => Math.max(-40, Math.min(40, v - median)));
      const scale = Math.sqrt(flat.reduce((sum, v) => sum + v * v, 0) / COLUMNS);
      return flat.map((v) => v / scale);
    });
    let alike = 0;
    for (let a = 0; a < rows.length; a++) {
      for (let b = 0; b < a; b++)
        if (largestCorrelation(rows[a] ?? new Float64Array(0), rows[b] ?? new Float64Array(0)) > 0.5) alike++;
    }
    expect(alike).toBe(0);
  });

  it("is normal: rms 1, kurtosis 3, neighbours independent, tails as often as they should be", () => {
    const random = new Random(4);
    let [n, squares, fourths, neighbours] = [0, 0, 0, 0];
    for (let k = 0; k < 1000; k++) {
      const values = row(random, 512);
      values.forEach((v, i) => {
        n++;
        squares += v * v;
        fourths += v ** 4;
        if (i > 0) neighbours += v * (values[i - 1] ?? 0);
      });
    }
    // 512 000 values: 0.2 % of the variance, 0.14 % of correlation.
    expect(Math.abs(squares / n - 1)).toBeLessThan(0.008);
    expect(Math.abs(fourths / n - 3)).toBeLessThan(0.06);
    expect(Math.abs(neighbours / n)).toBeLessThan(0.006);
    let tails = 0;
    let beyond5 = 0;
    noiseTails(1e9, random, (_, value) => {
      tails++;
      if (Math.abs(value) > 5) beyond5++;
    });
    // 2·(1 − Φ(4.1695)) = 3.05e-5, 2·(1 − Φ(5)) = 5.73e-7.
    expect(Math.abs(tails - 30_518)).toBeLessThan(800);
    expect(Math.abs(beyond5 - 573)).toBeLessThan(110);
  });
});

describe("a calm day", () => {
  it("loses no image; a typical one loses some", () => {
    const stored = (scenario: string): number => {
      const own = createSimulatedFacility({ clock: new VirtualClock(), scenario });
      return own.tags(3, 651_251, "MPCCD-2B1-M03-001").length;
    };
    expect(stored("calm")).toBe(10_000);
    expect(stored("typical")).toBeLessThan(10_000);
  });
});
