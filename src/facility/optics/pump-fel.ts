import { axis, diode, setting } from "../control/devices.ts";
import { controlParameters } from "../control/parameters.ts";
import { pumpResponse } from "../response.ts";
import type { SimulatedDevice } from "./simulated-device.ts";

const chicane = axis(
  3,
  1,
  1,
  "chicane, delay of the probe FEL after the pump FEL, 0.1 fs/pulse; set by the operators on request",
  {
    name: "bl3_chicane1",
    syncdb: null,
    limitsPulses: [0, 3000],
    speed: 200,
    speedLimits: [200, 200],
    accelerationPulsesPerS2: 1000,
  },
);

/** Made and stopped on request: the accelerator is not controlled from a beamline. */
const isOn = setting(
  "accelerator",
  "bl3_pump_fel",
  "pump FEL of the two-colour scheme; made and stopped by the operators on request",
  "",
  ["off", "on"],
  "off",
);

/** The second colour of the FEL: whether it is on, and the chicane that delays the probe. */
export const pumpFel: SimulatedDevice = {
  name: "pump-fel",
  bl: 3,
  axes: [chicane],
  settings: [isOn],
  behavior: () => ({
    diodeFactor(equipId, at) {
      if (equipId !== diode(3, 4) || at.value(isOn.name) !== "on") return 1;
      const { amplitude, ...response } = controlParameters.pumpFel;
      return 1 + amplitude * pumpResponse(response, 0.1 * at.load(chicane.name));
    },
  }),
};
