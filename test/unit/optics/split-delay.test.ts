import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import {
  asSplitDelayCorrection,
  type Hkl,
  type LimitsByAxis,
  learnSplitDelayCorrection,
  SplitDelay,
  splitDelayCrystals,
  splitDelayGeometry,
  withZeroDelay,
} from "../../../src/optics/index.ts";
import { inheritedErrors } from "../../../src/optics/split-delay-correction.ts";
import { rounds } from "../../support/full.ts";
import { itWithSharedData, sharedData } from "../../support/optional.ts";

const axes = {
  bs: "bs",
  br1: "br1",
  br2: "br2",
  bm: "bm",
  cc1: "cc1",
  cc2: "cc2",
  br1Gap: "br1_gap",
  br2Gap: "br2_gap",
} as const;
const optics = new SplitDelay({ channelGapMm: 5, axes });
const limits: LimitsByAxis = {
  ...Object.fromEntries(splitDelayCrystals.map((crystal) => [crystal, { from: 10, to: 45 }])),
  br1_gap: { from: 4, to: 30 },
  br2_gap: { from: 3.5, to: 28 },
};

/** Extra path of two pairs of parallel faces against the straight way, by reflecting unit vectors. */
function tracedPathMm(angleDeg: number, gapMm: number): { path: number; lateral: number } {
  const theta = (angleDeg * Math.PI) / 180;
  // Faces along the beam's x turned by θ; the first at y = 0, the second a gap above along its normal.
  const normal = [-Math.sin(theta), Math.cos(theta)] as const;
  const first = [1, 0] as const;
  const dot = first[0] * normal[0] + first[1] * normal[1];
  const second = [first[0] - 2 * dot * normal[0], first[1] - 2 * dot * normal[1]] as const;
  const length = gapMm / Math.abs(second[0] * normal[0] + second[1] * normal[1]);
  const [x, y] = [second[0] * length, second[1] * length];
  return { path: 2 * (length - x), lateral: Math.abs(y) };
}

describe("split-delay optics", () => {
  it("compare each crystal with the first of its branch: errors of those before it are inherited", () => {
    const own = { br1: 0.8, br2: 0.3, bm: 0.2, cc2: 0.5 };
    const found = inheritedErrors(axes, own);
    expect([found["bs"], found["br1"], found["cc1"], found["cc2"]]).toEqual([0, 0, 0, 0]);
    // BR2 stands to the middle of BS and BR1; BM to that of BS, BR1 and BR2.
    expect(found["br2"]).toBeCloseTo(0.4, 12);
    expect(found["bm"]).toBeCloseTo(Math.hypot((0.8 + 0.4) / 3, 0.3 / 3), 12);
    // Against crystals that really follow so.
    const random = new Random(7);
    const tries = 4000;
    let square = 0;
    for (let k = 0; k < tries; k++) {
      const br1 = own.br1 * random.normal();
      const br2 = br1 / 2 + own.br2 * random.normal();
      square += ((br1 + br2) / 3) ** 2 / tries;
    }
    expect(Math.abs(Math.sqrt(square) / (found["bm"] ?? NaN) - 1)).toBeLessThan(0.05);
  });

  itWithSharedData("have the numbers of an independent program", () => {
    const truth = JSON.parse(readFileSync(`${sharedData}optics_si.truth.json`, "utf8")) as {
      crystal: readonly {
        hkl: Hkl;
        energy_eV: number;
        reflects: boolean;
        split_delay: Readonly<Record<string, number>>;
      }[];
    };
    for (const { hkl, energy_eV, reflects, split_delay: wanted } of truth.crystal) {
      if (!reflects) continue;
      const plain = splitDelayGeometry(energy_eV, hkl);
      const refracted = splitDelayGeometry(energy_eV, hkl, { refraction: true });
      const pairs = [
        [plain.psPerMm, wanted["ps_per_mm"]],
        [plain.mmPerPs, wanted["mm_per_ps"]],
        [plain.lateralMmPerMm, wanted["lateral_mm_per_mm"]],
        [plain.slideMmPerMm, wanted["slide_mm_per_mm"]],
        [refracted.psPerMm, wanted["ps_per_mm_at_refracted_angle"]],
      ];
      for (const [ours = NaN, theirs = NaN] of pairs) expect(Math.abs(ours / theirs - 1)).toBeLessThan(1e-7);
    }
  });

  it("delay as rays do that are reflected", () => {
    for (const ev of [5000, 8000, 15_000]) {
      const { angleDeg, psPerMm, lateralMmPerMm } = splitDelayGeometry(ev);
      const { path, lateral } = tracedPathMm(angleDeg, 7);
      expect(path / 0.299792458).toBeCloseTo(7 * psPerMm, 9);
      expect(lateral).toBeCloseTo(7 * lateralMmPerMm, 9);
    }
  });

  it("hold the delay while the energy moves from 5 to 15 keV, and the energy while the delay moves", () => {
    for (const photonEnergyEv of [5000, 7000, 10_000, 15_000])
      for (const delayPs of [-1, 0, 1, 30]) {
        const back = optics.knobs(optics.positions({ delayPs, photonEnergyEv }));
        expect(back.delayPs).toBeCloseTo(delayPs, 9);
        expect(back.photonEnergyEv).toBeCloseTo(photonEnergyEv, 6);
        for (const off of Object.values(back.offUrad)) expect(off).toBeCloseTo(0, 6);
      }
    const [soft, hard] = [5000, 15_000].map((photonEnergyEv) => optics.positions({ delayPs: 1, photonEnergyEv }));
    expect(soft?.["br1_gap"]).toBeCloseTo(5.116, 3);
    expect(hard?.["br1_gap"]).toBeCloseTo(5.348, 3);
    // Rounded to motors of 0.1 µm and 4e-6 deg, within a femtosecond.
    for (const photonEnergyEv of [5000, 15_000]) {
      const exact = optics.positions({ delayPs: 1, photonEnergyEv });
      const rounded = Object.fromEntries(
        Object.entries(exact).map(([axis, at]) => {
          const step = axis.endsWith("gap") ? 1e-4 : 4e-6;
          return [axis, Math.round(at / step) * step];
        }),
      );
      expect(Math.abs(optics.knobs(rounded).delayPs - 1)).toBeLessThan(1e-3);
    }
  });

  it("reach as far as brute force says", () => {
    const random = new Random(5);
    const fits = (delayPs: number, photonEnergyEv: number, within: LimitsByAxis): boolean => {
      try {
        return Object.entries(optics.positions({ delayPs, photonEnergyEv })).every(([axis, at]) => {
          const range = within[axis];
          return range === undefined || range === "unlimited" || (at >= range.from && at <= range.to);
        });
      } catch {
        return false;
      }
    };
    let bounded = 0;
    for (let round = 0; round < rounds(200); round++) {
      const own = {
        ...limits,
        bm: { from: 9 + 20 * random.uniform(), to: 30 + 20 * random.uniform() },
        br2_gap: { from: 8 * random.uniform(), to: 5 + 30 * random.uniform() },
      };
      const at = { delayPs: 60 * random.uniform() - 10, photonEnergyEv: 4500 + 15_000 * random.uniform() };
      const reach = optics.reach(at, own);
      for (const knob of ["delayPs", "photonEnergyEv"] as const) {
        const range = reach[knob];
        const isIn = (value: number): boolean => {
          const knobs = { ...at, [knob]: value };
          return fits(knobs.delayPs, knobs.photonEnergyEv, own);
        };
        if (range === null) {
          for (let k = 0; k <= 100; k++)
            expect(isIn(knob === "delayPs" ? -50 + 3 * k : 3300 + 250 * k), `${knob} ${JSON.stringify(at)}`).toBe(
              false,
            );
          continue;
        }
        bounded++;
        const step = 1e-6 * (range.to - range.from) + 1e-9;
        if (range.to - range.from < 1e-6) continue;
        expect(isIn(range.from + step) && isIn(range.to - step) && isIn((range.from + range.to) / 2)).toBe(true);
        expect(isIn(range.from - step) || isIn(range.to + step)).toBe(false);
      }
    }
    expect(bounded).toBeGreaterThan(rounds(200) / 2);
    const { delayPs, photonEnergyEv } = optics.reach({ delayPs: 1, photonEnergyEv: 10_000 }, limits);
    expect(delayPs).toMatchObject({ fromBy: "br1_gap", toBy: "br2_gap" });
    expect(delayPs?.to).toBeCloseTo(23 * 4.3078, 1);
    expect(photonEnergyEv).toMatchObject({ fromBy: "bs", toBy: "bs" });
  });

  it("refuse what they cannot do, and say why", () => {
    expect(() => optics.positions({ delayPs: 1, photonEnergyEv: 3100 })).toThrow(/above 32\d\d\.\d, where Si\(220\)/);
    expect(() => optics.positions({ delayPs: -30, photonEnergyEv: 10_000 })).toThrow(/leaves a gap/);
    expect(() => optics.knobs({ bs: 18 })).toThrow(/br1_gap/);
    expect(() => optics.reach({ delayPs: 0, photonEnergyEv: 9000 }, { bs: "unlimited" })).toThrow(/limits of/);
    expect(() => new SplitDelay({ channelGapMm: 5, axes, hkl: [2, 1, 0] })).toThrow(/all odd/);
  });
});

describe("a correction of split-delay optics", () => {
  const truth = (gap: number): number => 2e-4 + 3e-5 * (gap - 5) - 2e-6 * (gap - 5) ** 2;
  const learn = (seed: number, error = 5e-6) => {
    const random = new Random(seed);
    const points = Array.from({ length: 9 }, (_, i) => {
      const gapMm = 4.5 + i;
      return { gapMm, offsets: { bm: { offset: truth(gapMm) + error * random.normal(), error } } };
    });
    return learnSplitDelayCorrection({ photonEnergyEv: 10_000, points, learntAt: "2026-11-29T12:00:00+09:00" });
  };

  it("holds the truth as often as its error says", () => {
    let [inside, all] = [0, 0];
    for (let seed = 1; seed <= 100; seed++) {
      const corrected = optics.with(learn(seed));
      for (const delayPs of [0, 10, 25]) {
        const gap = optics.gapMm({ delayPs, photonEnergyEv: 10_000 });
        const { bm = NaN, bs = NaN } = corrected.positions({ delayPs, photonEnergyEv: 10_000 });
        const { coefficients, covariance } = corrected.correction?.axes["bm"] ?? { coefficients: [], covariance: [] };
        expect(coefficients.length).toBe(3);
        const u = (gap - 8.5) / 4;
        const terms = [1, u, u * u];
        const variance = terms.reduce(
          (sum, a, i) => sum + terms.reduce((own, b, k) => own + a * b * (covariance[i]?.[k] ?? NaN), 0),
          0,
        );
        if (Math.abs(bm - bs - truth(gap)) < Math.sqrt(variance)) inside++;
        all++;
      }
    }
    // Errors grow where the points scatter more than theirs: a little more than 68 %.
    expect(inside / all).toBeGreaterThan(0.62);
    expect(inside / all).toBeLessThan(0.83);
  });

  it("holds at another energy, goes through JSON, and comes back from positions", () => {
    const stored = asSplitDelayCorrection(JSON.parse(JSON.stringify(learn(1))));
    const zero = {
      atPs: 0.0123,
      errorPs: 1e-4,
      mmPerPs: optics.geometry(10_000).mmPerPs,
      photonEnergyEv: 10_000,
      learntAt: "now",
    };
    const corrected = optics.with(withZeroDelay(stored, ["br1_gap", "br2_gap"], zero));
    for (const photonEnergyEv of [5000, 10_000, 15_000]) {
      const positions = corrected.positions({ delayPs: 1, photonEnergyEv });
      const plain = optics.positions({ delayPs: 1, photonEnergyEv });
      expect((positions["bm"] ?? NaN) - (plain["bm"] ?? NaN)).toBeCloseTo(truth(plain["br1_gap"] ?? NaN), 5);
      expect((positions["br1_gap"] ?? NaN) - (plain["br1_gap"] ?? NaN)).toBeCloseTo(0.0123 * 0.23215, 5);
      const back = corrected.knobs(positions);
      expect(back.delayPs).toBeCloseTo(1, 6);
      expect(back.photonEnergyEv).toBeCloseTo(photonEnergyEv, 6);
    }
  });

  it("is refused beyond what was learnt, and where there is nothing to learn from", () => {
    const corrected = optics.with(learn(2));
    expect(() => corrected.positions({ delayPs: 60, photonEnergyEv: 10_000 })).toThrow(/4\.5000 to 12\.5000 mm/);
    const learntAt = "now";
    expect(() => learnSplitDelayCorrection({ photonEnergyEv: 1e4, points: [], learntAt })).toThrow(/at least one/);
    const points = [{ gapMm: 5, offsets: { bm: { offset: 0, error: 0 } } }];
    expect(() => learnSplitDelayCorrection({ photonEnergyEv: 1e4, points, learntAt })).toThrow(/error of bm/);
    expect(() => asSplitDelayCorrection({ kind: "other" })).toThrow(/learnSplitDelayCorrection/);
  });
});
