import type { ControlDriver } from "../../src/ec/index.ts";
import { type MadocaQuirks, SimulatedMadocaServer } from "../../src/facility/control/madoca-server.ts";
import { toyDevices } from "./toy-driver.ts";

export type { MadocaQuirks } from "../../src/facility/control/madoca-server.ts";

/** The object that stands for a device: `bl3_st2_pm001` is `bl_3_st2_pm001`. */
export function objectOf(device: string): string {
  return device.replace(/^bl(\d+)/, "bl_$1");
}

/** The simulated MADOCA server over the toy devices of beamline 3. */
export class MadocaServer extends SimulatedMadocaServer {
  constructor(driver: ControlDriver, quirks: MadocaQuirks = {}) {
    super(
      driver,
      { bl: 3, devices: toyDevices.map((info) => ({ object: objectOf(info.name), info })), beam: "bl_3_beam" },
      quirks,
    );
  }
}
