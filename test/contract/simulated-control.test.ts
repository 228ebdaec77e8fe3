import { createSimulatedFacility, RehearsalClock } from "../../src/facility/index.ts";
import { controlDriverContract } from "./control-driver-contract.ts";

const devices = {
  bl: 3,
  axis: "bl3_st2_pm001",
  shutter: "bl3_lh1_shutter1",
  setting: "bl3_st2_pd1_gain",
  values: [10, 1],
  runs: true,
} as const;

for (const [name, options] of [
  ["in real time", {}],
  ["in rehearsal time", { clock: new RehearsalClock() }],
  ["twenty times as fast", { speed: 20 }],
] as const) {
  controlDriverContract({
    name: `the simulated facility ${name}`,
    ...devices,
    open: async () => {
      const facility = createSimulatedFacility(options);
      return { driver: facility.control, close: async () => facility.close() };
    },
  });
}
