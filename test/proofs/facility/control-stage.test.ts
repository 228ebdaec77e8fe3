import { describe, expect, it } from "vitest";
import type { AxisInfo } from "../../../src/ec/index.ts";
import { Stage } from "../../../src/facility/control/stage.ts";

const info: AxisInfo = {
  kind: "axis",
  name: "bl3_st2_pm001",
  syncdb: null,
  meaning: "",
  limitsPulses: [-50_000, 50_000],
  speed: 20_000,
  speedLimits: [10, 20_000],
  accelerationPulsesPerS2: 1e6,
  backlashPulses: 0,
};
/** Ticks of 1/60 s. */
const at = (seconds: number): number => 60 * seconds;

describe("the places of a stage over a long time", () => {
  it("are remembered for 65 536 motions at most, the newest exactly", () => {
    const one = new Stage(info, 0, { slip: 0, stuck: 0, late: 0, refused: 0 }, { draw: () => 0.5 });
    for (let i = 0; i < 150_000; i++) one.move(at(i), (i % 100) + 1);
    for (const i of [149_999, 140_000, 120_000]) expect(one.counterAt(at(i + 0.9))).toBe((i % 100) + 1);
    expect(Number.isInteger(one.counterAt(at(10)))).toBe(true);
  });
});
