import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { passedShare } from "../../../src/facility/optics/channel-cut.ts";

const HIGHTAG = 202501;
const before = "xfel_bl_3_tc_bm_1_pd/charge";
const behind = "xfel_bl_3_st_4_bm_1_pd/charge";

/** Motor pulses for a photon energy: θ = asin(hc / 2dE), 4e-6 deg/pulse, 2d = 6.271202 Å. */
const pulseOf = (ev: number): number => (Math.asin(12_398.419843 / (6.271202 * ev)) * 180) / Math.PI / 4e-6;

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function rms(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
}

describe("the monochromator", () => {
  it("lets through what Darwin's curves leave of a spiky SASE spectrum", () => {
    const random = new Random(3);
    const shares = (firstEv: number, secondEv: number, centreEv = 10_000): number[] =>
      Array.from({ length: 1500 }, () => passedShare({ firstEv, secondEv }, centreEv, random));
    const aligned = shares(10_000, 10_000);
    // By hand: half the plateau is 1.33 eV / 2.1213 = 0.627 eV; ∫R⁴ dy = 2 + 1/7 − 1/9 (y = cosh t), times the density
    // 0.9394 / 35 eV at the middle of the Gaussian.
    const wanted = (0.627 * (2 + 1 / 7 - 1 / 9) * 0.9394) / 35;
    expect(Math.abs(mean(aligned) / wanted - 1)).toBeLessThan(0.06);
    // Some three spikes of 0.4 eV: far more scatter than the 12 % of the whole pulse, less than the 100 % of one spike.
    expect(rms(aligned) / mean(aligned)).toBeGreaterThan(0.35);
    expect(rms(aligned) / mean(aligned)).toBeLessThan(0.75);
    // Half of the light at half of the bandwidth; nothing where the crystals reflect different energies.
    expect(mean(shares(10_017.5, 10_017.5)) / wanted).toBeCloseTo(0.5, 1);
    expect(mean(shares(10_000, 10_003)) / wanted).toBeLessThan(0.02);
  });

  it("is out of the beam at first; in it, energy follows the angle and the second crystal has to follow the first", async () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    const { control } = facility;
    const go = async (axis: string, pulses: number): Promise<void> => {
      await control.move(axis, Math.round(pulses));
      while ((await control.read(axis)).state === "moving") clock.advance(0.5);
    };
    const through = (seconds: number): number => {
      const from = facility.live.nowTag();
      clock.advance(seconds);
      const tags = facility.tagsBetween(3, HIGHTAG, from + 1, facility.live.nowTag());
      clock.advance(0.2);
      const [i, i0] = [behind, before].map((id) => [...facility.column(id, HIGHTAG, tags).values]);
      return mean(i ?? []) / 0.6 / mean(i0 ?? []);
    };
    await control.setShutter("bl3_shutter1", true);
    clock.advance(1);
    expect(through(5)).toBeCloseTo(1, 2);
    await go("bl3_st1_pm004", 5000);
    const [first, second] = facility.truth.monochromatorZeros(3);
    const to = async (firstEv: number, secondEv: number): Promise<void> => {
      await go("bl3_st1_pm003", pulseOf(firstEv) + first);
      await go("bl3_st1_pm005", -(pulseOf(secondEv) + second));
    };
    await to(10_000, 10_000);
    const top = through(40);
    expect(Math.abs(top - 0.034)).toBeLessThan(0.006);
    const tag = facility.live.nowTag() - 30;
    expect(facility.truth.shot(3, HIGHTAG, tag).passedShare).toBeLessThan(0.2);
    await to(10_000, 10_003);
    expect(through(20)).toBeLessThan(0.1 * top);
    await to(10_040, 10_040);
    expect(through(20)).toBeLessThan(0.15 * top);
  });
});
