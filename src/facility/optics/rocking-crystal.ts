import { hash, Random } from "../../core/random.ts";
import { axis, diode } from "../control/devices.ts";
import { controlParameters } from "../control/parameters.ts";
import type { SimulatedDevice } from "../control/simulated-device.ts";

const rotation = axis(3, 4, 36, "crystal rotation, 1e-4 deg/pulse", {
  limitsPulses: [-100_000, 100_000],
  speed: 5000,
  speedLimits: [10, 10_000],
  accelerationPulsesPerS2: 20_000,
  backlashPulses: 10,
});

/** A rotation with a crystal on it, and the photodiode in its reflection. */
export const rockingCrystal: SimulatedDevice = {
  name: "crystal",
  bl: 3,
  axes: [rotation],
  behavior(seed) {
    const random = new Random(hash(seed, "crystal", 3));
    const { crystalCentrePulse, crystalSigmaPulse, crystalBackground: background } = controlParameters;
    const [narrow, wide] = crystalSigmaPulse;
    const centrePulse = crystalCentrePulse * (2 * random.uniform() - 1);
    const sigmaPulse = narrow + (wide - narrow) * random.uniform();
    return {
      truth: { centrePulse, sigmaPulse, background },
      diodeFactor(equipId, at) {
        if (equipId !== diode(3, 4)) return 1;
        const off = (at.load(rotation.name) - centrePulse) / sigmaPulse;
        return background + (1 - background) * Math.exp(-0.5 * off * off);
      },
    };
  },
};
