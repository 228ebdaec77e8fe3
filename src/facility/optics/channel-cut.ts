import { hash, Random } from "../../core/random.ts";
import { axis, diode, setting } from "../control/devices.ts";
import type { DevicesAt, SimulatedDevice } from "../control/simulated-device.ts";
import { monochromatorParameters } from "../parameters.ts";
import { reflectedEv, spectralShares } from "./spectral-share.ts";

const rotation = {
  speed: 100_000,
  speedLimits: [100, 200_000],
  accelerationPulsesPerS2: 400_000,
} as const;
const axes = [
  axis(3, 1, 3, "channel-cut crystal 1, 4e-6 deg/pulse", {
    ...rotation,
    limitsPulses: [0, 6_000_000],
    home: 2_851_044,
  }),
  axis(3, 1, 5, "channel-cut crystal 2, -4e-6 deg/pulse", {
    ...rotation,
    limitsPulses: [-6_000_000, 0],
    home: -2_851_044,
  }),
  axis(3, 1, 4, "channel-cut crystals, height, 1 µm/pulse: out of the beam at 0, in at 5000"),
];
const foil = setting(
  "attenuator",
  "bl3_foil1",
  "ytterbium foil behind the monochromator, before photodiode 3 of station 1",
  "",
  ["out", "Yb"],
  "out",
);

/** Two channel-cut crystals, the second turning the other way, their height, and a foil with an absorption edge. */
export const channelCut: SimulatedDevice = {
  name: "channel-cut",
  bl: 3,
  axes,
  settings: [foil],
  behavior(seed) {
    const random = new Random(hash(seed, "crystal zeros", 3));
    const { zeroErrorPulse, inFrom, inTo, foilEdgeEv } = monochromatorParameters;
    const [firstZero, secondZero] = [zeroErrorPulse * random.normal(), zeroErrorPulse * random.normal()];
    const isIn = (at: DevicesAt): boolean => {
      const height = at.load("bl3_st1_pm004");
      return height >= inFrom && height <= inTo;
    };
    const firstAt = (at: DevicesAt): number => reflectedAt(at.load("bl3_st1_pm003") - firstZero);
    return {
      truth: { firstZero, secondZero, foilEdgeEv },
      effect(at) {
        if (!isIn(at)) return null;
        const firstEv = firstAt(at);
        const secondEv = reflectedAt(-at.load("bl3_st1_pm005") - secondZero);
        return {
          salt: spikes,
          photonEnergyEv: firstEv,
          share: (centreEv, draws) => passedShare({ firstEv, secondEv }, centreEv, draws),
        };
      },
      diodeFactor(equipId, at) {
        if (equipId !== diode(3, 1) || at.value(foil.name) !== "Yb") return 1;
        // Without the monochromator most of the light is above the edge.
        return foilTransmission(isIn(at) ? firstAt(at) : Infinity);
      },
    };
  },
};

const spikes = hash("spectrum");

/** Photon energies that the two crystals reflect, eV; 0 where a crystal reflects none. */
interface Reflected {
  readonly firstEv: number;
  readonly secondEv: number;
}

const reflectedAt = (pulse: number): number => reflectedEv(pulse * monochromatorParameters.degPerPulse, [1, 1, 1]);

/** FWHM of a Darwin curve over the half width of its plateau. */
const FWHM_PER_PLATEAU = 2.1213;

/** Share of a shot's light that two reflections in each crystal leave. */
export function passedShare({ firstEv, secondEv }: Reflected, centreEv: number, random: Random): number {
  const halfEv = (monochromatorParameters.darwinWidth * firstEv) / FWHM_PER_PLATEAU;
  const bands = [firstEv, secondEv].map((ev) => ({ ev, halfEv, reflections: 2 }));
  return spectralShares(centreEv, (firstEv + secondEv) / 2, [bands], random)[0] ?? 0;
}

/** Transmission of the foil: an edge as broad as its core hole lives short. */
function foilTransmission(ev: number): number {
  const { foilEdgeEv, foilEdgeFwhmEv, foilAbsorbance } = monochromatorParameters;
  const [before, jump] = foilAbsorbance;
  const step = 0.5 + Math.atan((ev - foilEdgeEv) / (foilEdgeFwhmEv / 2)) / Math.PI;
  return Math.exp(-before - jump * step);
}
