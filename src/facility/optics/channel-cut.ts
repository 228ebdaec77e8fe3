import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import { hash, Random } from "../../core/random.ts";
import { axis } from "../control/devices.ts";
import { monochromatorParameters, sourceParameters } from "../parameters.ts";
import type { SimulatedDevice } from "./simulated-device.ts";

const rotation = {
  speed: 100_000,
  speedLimits: [100, 200_000],
  accelerationPulsesPerS2: 400_000,
} as const;
const axes = [
  axis(3, 1, 3, "channel-cut crystal 1, 4e-6 deg/pulse", {
    ...rotation,
    limitsPulses: [0, 6_000_000],
    home: 2_850_848,
  }),
  axis(3, 1, 5, "channel-cut crystal 2, -4e-6 deg/pulse", {
    ...rotation,
    limitsPulses: [-6_000_000, 0],
    home: -2_850_848,
  }),
  axis(3, 1, 4, "channel-cut crystals, height, 1 µm/pulse: out of the beam at 0, in at 5000"),
];

/** Two channel-cut crystals, the second turning the other way, and their height. */
export const channelCut: SimulatedDevice = {
  name: "channel-cut",
  bl: 3,
  axes,
  behavior(seed) {
    const random = new Random(hash(seed, "crystal zeros", 3));
    const { zeroErrorPulse, inFrom, inTo } = monochromatorParameters;
    const [firstZero, secondZero] = [zeroErrorPulse * random.normal(), zeroErrorPulse * random.normal()];
    return {
      truth: { firstZero, secondZero },
      effect(at) {
        const height = at.load("bl3_st1_pm004");
        if (height < inFrom || height > inTo) return null;
        const firstEv = braggEnergyEv(at.load("bl3_st1_pm003") - firstZero);
        const secondEv = braggEnergyEv(-at.load("bl3_st1_pm005") - secondZero);
        return {
          salt: spikes,
          photonEnergyEv: firstEv,
          share: (centreEv, draws) => passedShare({ firstEv, secondEv }, centreEv, draws),
        };
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

/** Bragg's law for a crystal at an angle of its motor, E = hc / (2d sin θ); 0 eV where it reflects nothing. */
function braggEnergyEv(pulse: number): number {
  const { degPerPulse, twoDAngstrom } = monochromatorParameters;
  const sine = Math.sin((pulse * degPerPulse * Math.PI) / 180);
  return sine <= 0 ? 0 : HC_EV_ANGSTROM / (twoDAngstrom * sine);
}

/** Reflectivity of a thick perfect crystal without absorption (Darwin), y in half widths of the plateau. */
function darwin(y: number): number {
  const off = Math.abs(y);
  return off <= 1 ? 1 : (off - Math.sqrt(off * off - 1)) ** 2;
}

/** The band is looked at in these steps, so far to both sides. */
const STEP_EV = 0.05;
const STEPS = 80;
/** Spikes are Gaussian wave packets at every second step. */
const KERNEL = 16;
/** FWHM of a Gaussian over its rms, and of a Darwin curve over the half width of its plateau. */
const FWHM_PER_RMS = 2.3548;
const FWHM_PER_PLATEAU = 2.1213;

/**
 * Share of a shot's light that comes through: the spikes of its spectrum, |Σ aₖ g(E − Eₖ)|² with random complex aₖ,
 * under a Gaussian of the SASE bandwidth round `centreEv`, times the curves of two reflections in each crystal.
 */
export function passedShare({ firstEv, secondEv }: Reflected, centreEv: number, random: Random): number {
  if (firstEv === 0 || secondEv === 0) return 0;
  const { bandwidth, spikeFwhmEv } = sourceParameters;
  const half = (monochromatorParameters.darwinWidth * firstEv) / FWHM_PER_PLATEAU;
  const rms = (bandwidth * centreEv) / FWHM_PER_RMS;
  // |g|² has the width of a spike.
  const width = (spikeFwhmEv / FWHM_PER_RMS) * Math.SQRT2;
  const middle = (firstEv + secondEv) / 2;
  const nodes = STEPS + KERNEL + 1;
  const parts = new Float64Array(2 * nodes);
  random.normals(parts);
  let share = 0;
  for (let k = 0; k <= 2 * STEPS; k++) {
    const ev = middle + (k - STEPS) * STEP_EV;
    const reflected = (darwin((ev - firstEv) / half) * darwin((ev - secondEv) / half)) ** 2;
    if (reflected < 1e-9) continue;
    let [real, imaginary, norm] = [0, 0, 0];
    for (let node = Math.ceil(k / 2); node <= Math.floor(k / 2) + KERNEL; node++) {
      const away = ((2 * node - KERNEL - k) * STEP_EV) / width;
      const packet = Math.exp(-0.5 * away * away);
      real += packet * (parts[2 * node] ?? 0);
      imaginary += packet * (parts[2 * node + 1] ?? 0);
      norm += 2 * packet * packet;
    }
    const envelope = Math.exp(-0.5 * ((ev - centreEv) / rms) ** 2) / (rms * Math.sqrt(2 * Math.PI));
    share += ((real * real + imaginary * imaginary) / norm) * envelope * reflected * STEP_EV;
  }
  return share;
}
