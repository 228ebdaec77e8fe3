import { hash, Random } from "../../core/random.ts";
import { accelerator } from "../control/devices.ts";
import { controlParameters } from "../control/parameters.ts";
import type { SimulatedDevice } from "../control/simulated-device.ts";
import { sourceParameters } from "../parameters.ts";

const { knobs, photonEnergyKev, knobNoise, narrowFrom, narrowTo, widthNoise } = controlParameters.machine;

const photonEnergy = accelerator(
  "bl3_photon_energy",
  "photon energy of the FEL, by the electron energy",
  "keV",
  { from: photonEnergyKev - 0.1, to: photonEnergyKev + 0.1 },
  photonEnergyKev,
  {
    unitsPerSecond: 0.01,
    step: 0.05,
    // The spectrometer stands behind the X-ray shutter; slow drifts of the electrons are left, some 4 eV.
    verification: {
      signal: "xfel_bl_3_tc_spec_1/energy",
      tolerance: 0.01,
      ranges: null,
      settleShots: 30,
      mostShots: 320,
    },
  },
);

const TAPER = "bl3_taper_1";
/** FWHM of the spectrum of each shot. */
const widthId = "xfel_bl_3_tc_spec_1/width";
const readback = (knob: string): string => `xfel_mon_mag_bl3_${knob}/current`;

const tuning = knobs.map(({ name, meaning }) =>
  accelerator(`bl3_${name}`, meaning, "", { from: -1, to: 1 }, 0, {
    unitsPerSecond: 0.2,
    step: 0.5,
    perMinute: 60,
    verification: { signal: readback(name), tolerance: 0.02, ranges: null, settleShots: 5, mostShots: 40 },
  }),
);

/**
 * Light of the FEL for the knobs of its machine, 1 at home (all 0): a bowl round a hidden optimum, its axes turned, so
 * that one knob after the other does not find it.
 */
export class MachineTuning {
  /** Where the light is greatest. */
  readonly best: readonly number[];
  /** The light there. */
  readonly most: number;
  /** Taper at which the spectrum is narrowest. */
  readonly narrow: number;
  readonly #axes: readonly (readonly number[])[];

  constructor(seed: number) {
    const random = new Random(hash(seed, "machine tuning"));
    const { bestFrom, bestTo, width } = controlParameters.machine;
    this.best = knobs.map(
      () => (random.uniform() < 0.5 ? -1 : 1) * (bestFrom + (bestTo - bestFrom) * random.uniform()),
    );
    // Rows of a random matrix near the identity, over the width of each axis.
    this.#axes = knobs.map((_, row) =>
      knobs.map(
        (__, column) => ((row === column ? 1 : 0) + 0.3 * random.normal()) / (width * (0.7 + 0.6 * random.uniform())),
      ),
    );
    this.most = 1 / this.#bowl(knobs.map(() => 0));
    this.narrow = narrowFrom + (narrowTo - narrowFrom) * random.uniform();
  }

  /** @param values - of the knobs, in the order of `controlParameters.machine.knobs` */
  light(values: readonly number[]): number {
    return this.most * this.#bowl(values);
  }

  /** Width of the spectrum over that at home. */
  width(taper: number): number {
    return (1 + (taper - this.narrow) ** 2) / (1 + this.narrow ** 2);
  }

  #bowl(values: readonly number[]): number {
    let square = 0;
    for (const axis of this.#axes) {
      const along = axis.reduce((sum, part, i) => sum + part * ((values[i] ?? 0) - (this.best[i] ?? 0)), 0);
      square += along * along;
    }
    return 1 / (1 + square);
  }
}

/** What the operators of the accelerator change on request: the photon energy, and knobs that tune the light. */
export const machine: SimulatedDevice = {
  name: "machine",
  bl: 3,
  settings: [photonEnergy, ...tuning],
  signals: [...knobs.map(({ name }) => ({ equipId: readback(name), unit: "a.u." })), { equipId: widthId, unit: "eV" }],
  behavior(seed) {
    const model = new MachineTuning(seed);
    const values = knobs.map(() => 0);
    return {
      truth: {
        most: model.most,
        narrow: model.narrow,
        ...Object.fromEntries(knobs.map(({ name }, i) => [name, model.best[i] ?? 0])),
      },
      source(at, shot) {
        tuning.forEach(({ name }, i) => {
          values[i] = Number(at.value(name));
        });
        // At home nothing is changed, to the last bit.
        if (values.some((value) => value !== 0)) shot.energyFactor *= model.light(values);
        shot.photonEnergyEv *= Number(at.value(photonEnergy.name)) / photonEnergyKev;
      },
      signal(equipId, at, shot, pulses) {
        if (equipId === widthId) {
          if (!pulses.hasXrays(shot)) return "not-converged";
          const width = sourceParameters.bandwidth * pulses.photonEnergyEv(shot) * model.width(Number(at.value(TAPER)));
          return width * (1 + widthNoise * pulses.draws(shot.key, hash(equipId), shot.tag).normal());
        }
        const i = knobs.findIndex(({ name }) => readback(name) === equipId);
        // Magnets are read whether there is beam or not.
        const noise = pulses.draws(shot.key, hash(equipId), shot.tag).normal();
        return Number(at.value(tuning[i]?.name ?? "")) + knobNoise * noise;
      },
    };
  },
};
