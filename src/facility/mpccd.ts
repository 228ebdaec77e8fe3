import { EV_PER_ELECTRON } from "../core/constants.ts";
import { SaclaError } from "../core/errors.ts";
import type { Pixels } from "../core/ndarray.ts";
import { hash, type Random } from "../core/random.ts";
import { type DarkPattern, makeDarkPattern } from "./dark.ts";
import { describeDetector } from "./detectors.ts";
import type { Experiment } from "./experiments.ts";
import { noiseStart, noiseTable } from "./noise.ts";
import { mpccdParameters } from "./parameters.ts";
import { makePattern, type Pattern } from "./pattern.ts";
import { addDensePhotons, addPhotons, type Exposure, makeLotteries, type RowLotteries } from "./photons.ts";
import type { PulseModel } from "./pulse.ts";
import type { Shot } from "./timeline.ts";

/** Sensors whose tables (2 MB without light, 5 MB with) are kept: three octals. */
const SENSORS_KEPT = 24;

interface Light extends Pattern {
  readonly lotteries: RowLotteries;
}

const { xsize, ysize, ports, rowNoiseAdu, readNoiseElectrons, saturationAdu, photonByPhotonLimit } = mpccdParameters;
const portWidth = xsize / ports;

const salts = { commonDrift: hash("common drift"), portDrift: hash("port drift") } as const;

/** Draws images of MPCCD sensors. */
export class MpccdModel {
  readonly #pulses: PulseModel;
  readonly #seed: number;
  readonly #dark = new Recent<DarkPattern>();
  readonly #light = new Recent<Light>();
  readonly #portOffset = new Float64Array(ports);
  readonly #rowNoise = new Float64Array(ysize);

  constructor(seed: number, pulses: PulseModel) {
    this.#seed = seed;
    this.#pulses = pulses;
  }

  darkPattern(sensorId: string): DarkPattern {
    return this.#dark.get(sensorId, () => makeDarkPattern(sensorId));
  }

  /** Expected photons of the sensor in an experiment. */
  pattern(experiment: Experiment, sensorId: string): Pattern {
    return this.#lightOf(experiment, sensorId);
  }

  /** ADU of one photon at the experiment's energy. */
  aduPerPhoton(photonEnergyEv: number, sensorId: string): number {
    return photonEnergyEv / (EV_PER_ELECTRON * gainOf(sensorId));
  }

  /** Fills `out` with the image of a shot: whole ADU, row-major. */
  draw(sensorId: string, shot: Shot, random: Random, out: Pixels): void {
    random.reseed(hash(this.#seed, "image", sensorId, shot.key, shot.tag));
    const dark = this.darkPattern(sensorId);
    this.#drawDark(sensorId, dark, shot, random, out);
    if (this.#pulses.reachesSample(shot)) this.#addLight(sensorId, shot, random, out);
    finishBadPixels(dark, random, out);
  }

  close(): void {
    this.#dark.clear();
    this.#light.clear();
  }

  #lightOf(experiment: Experiment, sensorId: string): Light {
    return this.#light.get(`${experiment.beamline} ${experiment.firstRun} ${sensorId}`, () => {
      const { geometry } = describeDetector(sensorId);
      if (geometry === null)
        throw new SaclaError("INTERNAL", `${sensorId} has no geometry, so nothing can be projected on it.`);
      const pattern = makePattern(experiment, geometry);
      return { ...pattern, lotteries: makeLotteries(pattern) };
    });
  }

  #drawDark(sensorId: string, dark: DarkPattern, shot: Shot, random: Random, out: Pixels): void {
    const noise = readNoiseElectrons / gainOf(sensorId);
    const table = noiseTable();
    this.#fillPortOffsets(sensorId, shot);
    random.normals(this.#rowNoise);
    for (let row = 0; row < ysize; row++)
      drawDarkRow(out, row, dark.pedestal, this.#portOffset, this.#rowNoise, noise, table, noiseStart(random));
  }

  /** Drift of the whole sensor and of each port; the half makes rounding down rounding to nearest. */
  #fillPortOffsets(sensorId: string, shot: Shot): void {
    const { commonDriftAdu, portDriftAdu, driftKnotSeconds } = mpccdParameters;
    const key = shot.key ^ hash(sensorId);
    const common = commonDriftAdu * this.#pulses.drift(key, salts.commonDrift, shot.tag, driftKnotSeconds);
    for (let port = 0; port < ports; port++) {
      const own = portDriftAdu * this.#pulses.drift(key + port, salts.portDrift, shot.tag, driftKnotSeconds);
      this.#portOffset[port] = common + own + 0.5;
    }
  }

  #addLight(sensorId: string, shot: Shot, random: Random, out: Pixels): void {
    const light = this.#lightOf(shot.experiment, sensorId);
    if (light.total === 0) return;
    const exposure: Exposure = {
      aduPerPhoton: this.aduPerPhoton(this.#pulses.photonEnergyEv(shot), sensorId),
      intensity: (this.#pulses.energyJ(shot) * shot.transmission) / shot.experiment.pulseEnergyJ,
      ringFactor: this.#pulses.ringFactor(shot),
    };
    if (light.total * exposure.intensity > photonByPhotonLimit) addDensePhotons(light, exposure, random, out);
    else addPhotons(light, light.lotteries, exposure, random, out);
  }
}

function drawDarkRow(
  out: Pixels,
  row: number,
  pedestal: Float32Array,
  portOffset: Float64Array,
  rowNoise: Float64Array,
  noise: number,
  table: Float32Array,
  tableStart: number,
): void {
  const start = row * xsize;
  const shift = tableStart - start;
  const rowOffset = rowNoiseAdu * (rowNoise[row] ?? 0);
  for (let port = 0; port < ports; port++) {
    const offset = rowOffset + (portOffset[port] ?? 0);
    const from = start + port * portWidth;
    for (let i = from; i < from + portWidth; i++)
      out[i] = Math.floor((pedestal[i] ?? 0) + offset + noise * (table[i + shift] ?? 0));
  }
}

const gains = new Map<string, number>();

function gainOf(sensorId: string): number {
  const known = gains.get(sensorId);
  if (known !== undefined) return known;
  const gain = describeDetector(sensorId).absGain ?? 1;
  gains.set(sensorId, gain);
  return gain;
}

function finishBadPixels(dark: DarkPattern, random: Random, out: Pixels): void {
  dark.hot.forEach((pixel, k) => {
    const leak = dark.hotAdu[k] ?? 0;
    out[pixel] = Math.min(saturationAdu, Math.round((out[pixel] ?? 0) + leak + Math.sqrt(leak) * random.normal()));
  });
  for (const pixel of dark.dead) out[pixel] = Math.round(dark.pedestal[pixel] ?? 0);
}

/** The values used last, made again when they have been dropped. */
class Recent<T> {
  readonly #entries = new Map<string, { readonly value: T; usedAt: number }>();
  #clock = 0;

  get(key: string, make: () => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedAt = ++this.#clock;
      return known.value;
    }
    const value = make();
    this.#entries.set(key, { value, usedAt: ++this.#clock });
    if (this.#entries.size > SENSORS_KEPT) {
      const [oldest] = [...this.#entries].reduce((a, b) => (a[1].usedAt < b[1].usedAt ? a : b));
      this.#entries.delete(oldest);
    }
    return value;
  }

  clear(): void {
    this.#entries.clear();
  }
}
