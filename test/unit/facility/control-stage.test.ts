import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AxisInfo } from "../../../src/ec/index.ts";
import { durationOf, placeAt, trapezoid, velocityAt } from "../../../src/facility/control/kinematics.ts";
import { Stage, type StageFaults } from "../../../src/facility/control/stage.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";

const info: AxisInfo = {
  kind: "axis",
  name: "bl3_st2_pm001",
  syncdb: null,
  meaning: "",
  limitsPulses: [-50_000, 50_000],
  speed: 1000,
  speedLimits: [10, 2000],
  accelerationPulsesPerS2: 2000,
  backlashPulses: 0,
};
const none: StageFaults = { slip: 0, stuck: 0, late: 0, refused: 0 };
const lucky = { draw: () => 0.5 };
/** Ticks of 1/60 s. */
const at = (seconds: number): number => 60 * seconds;
const stage = (changes: Partial<AxisInfo> = {}, faults: StageFaults = none): Stage =>
  new Stage({ ...info, ...changes }, 0, faults, lucky);

describe("the ramps of a stage", () => {
  it("follow s = at²/2, vt and back, computed by hand", () => {
    const one = stage();
    one.move(at(10), 3000);
    // 0.5 s up to 1000/s makes 250; 2.5 s along makes 2500; 0.5 s down makes 250.
    for (const [seconds, pulses] of [
      [10, 0],
      [10.25, 62.5],
      [10.5, 250],
      [11.5, 1250],
      [13, 2750],
      [13.25, 2937.5],
      [13.5, 3000],
      [99, 3000],
    ] as const) {
      expect(one.counterAt(at(seconds))).toBe(Math.round(pulses));
      expect(one.read(at(seconds)).state).toBe(seconds < 13.5 ? "moving" : "ready");
    }
  });

  it("are a triangle when the way is too short for the speed", () => {
    const one = stage();
    one.move(0, -128);
    // √(4 · 128 / 2000) = 0.506 s in all, half of the way after half of it.
    expect(one.restsAt()).toBeCloseTo(at(2 * Math.sqrt(128 / 2000)), 9);
    expect(one.counterAt(one.restsAt() / 2)).toBe(-64);
  });

  it("stop with the ramp: v²/2a further, v/a later, and never beyond the target", () => {
    const one = stage();
    one.move(0, 3000);
    one.stop(at(1.5));
    // 250 + 1000 · 1 = 1250 at full speed; 1000² / 4000 = 250 more.
    expect(one.read(at(1.5)).state).toBe("moving");
    expect(one.read(at(2))).toMatchObject({ state: "ready", value: 1500 });
    one.move(at(3), 3000);
    one.stop(at(3));
    expect(one.read(at(3))).toMatchObject({ state: "ready", value: 1500 });
    fc.assert(
      fc.property(
        fc.integer({ min: -20_000, max: 20_000 }),
        fc.double({ min: 0, max: 30, noNaN: true }),
        (target, seconds) => {
          const each = stage();
          each.move(0, target);
          each.stop(at(seconds));
          const end = Number(each.read(at(99)).value);
          expect(Math.abs(end)).toBeLessThanOrEqual(Math.abs(target));
          expect(each.read(at(99)).state).toBe("ready");
        },
      ),
    );
  });

  it("have a speed that is the derivative of the place and never above what is asked for", () => {
    const ways = fc.tuple(
      fc.integer({ min: -9000, max: 9000 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 50_000 }),
    );
    fc.assert(
      fc.property(ways, fc.double({ min: 0.01, max: 0.99, noNaN: true }), ([to, speed, acceleration], part) => {
        const motion = trapezoid(0, to, speed, acceleration);
        const seconds = part * durationOf(motion);
        const step = 1e-5 * durationOf(motion);
        const slope = step === 0 ? 0 : (placeAt(motion, seconds + step) - placeAt(motion, seconds - step)) / (2 * step);
        expect(velocityAt(motion, seconds)).toBeCloseTo(slope, -Math.log10(Math.max(1e-3, 1e-3 * speed)) - 1);
        expect(Math.abs(velocityAt(motion, seconds))).toBeLessThanOrEqual(speed * (1 + 1e-12));
      }),
    );
  });

  it("take a speed for the motions to come, within its limits", () => {
    const one = stage();
    one.setSpeed(500);
    one.move(0, 3000);
    one.setSpeed(2000);
    expect(one.restsAt()).toBeCloseTo(at(3000 / 500 + 500 / 2000), 6);
    expect(one.info.speed).toBe(2000);
    expect(() => one.setSpeed(2001)).toThrow(
      expect.objectContaining({ code: "LIMIT", message: expect.stringContaining("10 to 2000") }),
    );
  });
});

describe("backlash", () => {
  it("lets the load stand after a turn until it is taken up, while the counter goes", () => {
    const one = stage({ backlashPulses: 40 });
    one.move(0, 1000);
    expect(one.loadAt(at(10))).toBe(1000);
    one.move(at(10), 970);
    expect([one.counterAt(at(20)), one.loadAt(at(20))]).toEqual([970, 1000]);
    one.move(at(20), 900);
    expect([one.counterAt(at(30)), one.loadAt(at(30))]).toEqual([900, 940]);
    one.move(at(30), 920);
    expect([one.counterAt(at(40)), one.loadAt(at(40))]).toEqual([920, 940]);
    one.move(at(40), 1000);
    expect(one.loadAt(at(50))).toBe(1000);
    // The past is as it was.
    expect([one.loadAt(at(20)), one.loadAt(at(30)), one.loadAt(at(1))]).toEqual([1000, 940, 750]);
  });

  it("is not moved by a preset, nor is the load", () => {
    const one = stage({ backlashPulses: 40 });
    one.move(0, 1000);
    one.preset(at(10), 0);
    expect([one.counterAt(at(10)), one.counterAt(at(11)), one.loadAt(at(11))]).toEqual([1000, 0, 1000]);
    one.move(at(11), 500);
    expect([one.counterAt(at(20)), one.loadAt(at(20))]).toEqual([500, 1500]);
  });
});

describe("what a stage refuses", () => {
  it("is a place outside of its limits, and a move while it moves", () => {
    const one = stage();
    expect(() => one.move(0, 50_001)).toThrow(
      expect.objectContaining({ code: "LIMIT", message: expect.stringContaining("-50000 to 50000") }),
    );
    one.move(0, 3000);
    expect(() => one.move(at(1), 0)).toThrow(expect.objectContaining({ code: "DEVICE_BUSY" }));
    expect(() => one.preset(at(1), 0)).toThrow(expect.objectContaining({ code: "DEVICE_BUSY" }));
    const free = stage({ limitsPulses: "unlimited" });
    free.move(0, 5e6);
    expect(free.read(at(1e5)).value).toBe(5e6);
  });
});

describe("faults of a stage", () => {
  it("stuck: it stands on the way and says that it moves until it is stopped; then it can be moved", () => {
    const one = stage({}, { ...none, stuck: 1 });
    one.move(0, 3000);
    expect(one.read(at(1000))).toMatchObject({ state: "moving", value: 1500 });
    one.stop(at(1000));
    expect(one.read(at(1000))).toMatchObject({ state: "ready", value: 1500 });
  });

  it("slip: it comes to rest short of the target", () => {
    const one = stage({}, { ...none, slip: 1 });
    one.move(0, 3000);
    expect(one.read(at(10))).toMatchObject({ state: "ready", value: 3000 - 4 - 90 });
  });

  it("late: it crawls; refused: it says who uses it and stands", () => {
    const late = stage({}, { ...none, late: 1 });
    late.move(0, 3000);
    expect(late.read(at(20)).state).toBe("moving");
    expect(late.read(at(31))).toMatchObject({ state: "ready", value: 3000 });
    const refused = stage({}, { ...none, refused: 1 });
    expect(() => refused.move(0, 3000)).toThrow(
      expect.objectContaining({ code: "DEVICE_BUSY", message: expect.stringContaining("another program") }),
    );
    expect(refused.read(at(10))).toMatchObject({ state: "ready", value: 0 });
  });

  it("are as frequent as the scenario says, the same for the same seed, and others for another", async () => {
    const places = async (seed: number): Promise<number[]> => {
      const clock = new VirtualClock();
      const { control } = createSimulatedFacility({ seed, clock, scenario: { slip: 0.1 } });
      const off: number[] = [];
      for (let i = 1; i <= 400; i++) {
        await control.move("bl3_st2_pm001", 100 * i);
        clock.advance(5);
        const { state, value } = await control.read("bl3_st2_pm001");
        expect(state).toBe("ready");
        off.push(100 * i - Number(value));
      }
      return off;
    };
    const first = await places(7);
    const slipped = first.filter((off) => off !== 0).length;
    // 40 ± 6 are expected.
    expect(slipped).toBeGreaterThan(20);
    expect(slipped).toBeLessThan(60);
    expect(await places(7)).toEqual(first);
    expect(await places(8)).not.toEqual(first);
  });
});
