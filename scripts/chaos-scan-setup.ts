/** What the killed scans of scripts/chaos-scan.ts and those who look at them both know. */
import { defineExperiment } from "../src/ec/index.ts";

export const SHOTS = 2;
/** Points in blocks of 20. From one block to the next it is far, so that programs die in a long move, too. */
export function delaysPs(points: number): readonly number[] {
  return Array.from({ length: points }, (_, i) => i + (Math.floor(i / 20) % 2) * 100);
}
export const MONITOR = "xfel_bl_3_tc_bm_1_pd/charge";
/** How long the beamline goes on without its program. */
export const LEASE_MS = 500;

export const devices = {
  delay: "bl3_st2_pm001",
  x: "bl3_st2_pm040",
  y: "bl3_st2_pm041",
  shutter: "bl3_shutter1",
} as const;
export const PULSES_PER_PS = 150;
/** Far more than the backlash, and than what the facility counts as one spot. */
export const PULSES_PER_SPOT = 100;
const spots = { unit: "spot", pulsesPerUnit: PULSES_PER_SPOT, limits: [-1, 100] } as const;

export const experiment = defineExperiment({
  name: "chaos",
  bl: 3,
  axes: {
    delay: { device: devices.delay, unit: "ps", pulsesPerUnit: PULSES_PER_PS, limits: [0, 300], speed: 5 },
    x: { device: devices.x, ...spots },
    y: { device: devices.y, ...spots },
  },
  shutters: { xrays: { device: devices.shutter } },
} as const);
