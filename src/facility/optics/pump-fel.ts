import { hash } from "../../core/random.ts";
import { accelerator, diode } from "../control/devices.ts";
import { controlParameters } from "../control/parameters.ts";
import type { SimulatedDevice } from "../control/simulated-device.ts";
import type { PulseModel } from "../pulse.ts";
import { pumpResponse } from "../response.ts";
import type { SimulatedShot } from "../shot.ts";

const { delayNoiseFs, pumpLight, pumpLightSpread, pumpLightFloor } = controlParameters.pumpFel;

const delaySignal = "xfel_mon_bpm_bl3_chicane_1_delay/summary";
const lightSignal = "xfel_bl_3_tc_spec_1_pump/intensity";

const chicane = accelerator(
  "bl3_chicane1",
  "chicane, delay of the probe FEL after the pump FEL",
  "fs",
  { from: 0, to: 300 },
  0,
  {
    unitsPerSecond: 20,
    step: 300,
    verification: { signal: delaySignal, tolerance: 3, ranges: null, settleShots: 10, mostShots: 160 },
  },
);

const isOn = accelerator("bl3_pump_fel", "pump FEL of the two-colour scheme", "", ["off", "on"], "off", {
  verification: {
    signal: lightSignal,
    tolerance: null,
    ranges: { off: [-0.1, 0.1], on: [0.7, 1.3] },
    settleShots: 10,
    mostShots: 160,
  },
});

/** The second colour of the FEL, made on request: whether it is on, and the chicane that delays the probe. */
export const pumpFel: SimulatedDevice = {
  name: "pump-fel",
  bl: 3,
  settings: [chicane, isOn],
  signals: [
    { equipId: delaySignal, unit: "fs" },
    { equipId: lightSignal, unit: "a.u." },
  ],
  behavior: () => ({
    diodeFactor(equipId, at) {
      if (equipId !== diode(3, 4) || at.value(isOn.name) !== "on") return 1;
      const { amplitude, ...response } = controlParameters.pumpFel;
      return 1 + amplitude * pumpResponse(response, Number(at.value(chicane.name)));
    },
    signal(equipId, at, shot, pulses) {
      // Both are upstream of the X-ray shutter: the electrons' place in the chicane, and the light they make.
      if (!pulses.hasBeam(shot)) return "not-converged";
      const normal = draw(equipId, shot, pulses);
      if (equipId === delaySignal) return Number(at.value(chicane.name)) + delayNoiseFs * normal;
      return at.value(isOn.name) === "on" ? pumpLight + pumpLightSpread * normal : pumpLightFloor * normal;
    },
  }),
};

function draw(equipId: string, shot: SimulatedShot, pulses: PulseModel): number {
  return pulses.draws(shot.key, hash(equipId), shot.tag).normal();
}
