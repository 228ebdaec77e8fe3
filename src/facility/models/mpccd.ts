import { EV_PER_ELECTRON } from "../../core/constants.ts";
import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { SaclaError } from "../../core/errors.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { hash, Random } from "../../core/random.ts";
import type { DarkPattern } from "../dark.ts";
import { emissionLines, emissionPattern } from "../emission.ts";
import type { EmissionLineTruth, RunSeries } from "../experiment.ts";
import { noiseTails } from "../noise.ts";
import { emissionParameters, mpccdParameters } from "../parameters.ts";
import { makePattern } from "../pattern.ts";
import type { PulseModel } from "../pulse.ts";
import { debyeWaller } from "../samples.ts";
import { type Exposure, type Light, type SensorCanvas, sensorCanvas } from "../sensor-canvas.ts";
import type { SimulatedShot } from "../shot.ts";
import type { DetectorModel } from "./detector-model.ts";

type Place = readonly [posXUm: number, posYUm: number, rotationDeg: number];

/** Octal MPCCD-8-2-001: dxtbx FormatHDF5SaclaMPCCD numbers. */
const octal001: readonly Place[] = [
  [-1755, 51711, -89.9062],
  [-1711, 24944, -89.9158],
  [817, -1808, -89.98],
  [812, -28466, -89.9293],
  [-792, 28544, 89.9631],
  [-781, 1840, 89.8808],
  [1650, -24900, 90.0],
  [1655, -51626, 90.0295],
];
const octal001Gains = [16.912, 18.1126, 17.373, 17.0977, 16.8761, 16.7263, 17.0818, 17.3167];

/** Octal MPCCD-8-2-002, from a user's run of 2019. */
const octal002: readonly Place[] = [
  [-1599.23, 51678.8, 269.925],
  [-1655.65, 25016, 269.966],
  [799.187, -1735.1, 269.969],
  [782.785, -28498.8, 269.855],
  [-792.005, 28477.5, 90.0468],
  [-838.52, 1818.2, 89.965],
  [1650, -24900, 90.0],
  [1618.37, -51643.8, 90.018],
];

/** Two sensors side by side with a gap of 1.05 mm, the beam in its middle. */
const dual: readonly Place[] = [
  [-26_125, 25_600, 0],
  [525, 25_620, 0.02],
];

/** To the right of the beam, so that it covers a range of scattering angles. */
const single: readonly Place[] = [[2000, 25_600, 0]];

/** e⁻/ADU: one 10 keV photon is then 154 ADU. */
const usualGain = 17.8;

const { xsize, ysize, pixelSizeUm, ports, readNoiseElectrons, saturationAdu, photonByPhotonLimit } = mpccdParameters;
const portWidth = xsize / ports;

const salts = { commonDrift: hash("common drift"), portDrift: hash("port drift") } as const;

/** Draws images of MPCCD sensors. */
export class MpccdModel implements DetectorModel {
  readonly #pulses: PulseModel;
  readonly #seed: number;
  #canvas: SensorCanvas | undefined;

  constructor(seed: number, pulses: PulseModel) {
    this.#seed = seed;
    this.#pulses = pulses;
  }

  owns(id: string): boolean {
    return id.startsWith("MPCCD");
  }

  /** `-1` … `-8` of an octal; a detector of one sensor is its own. */
  sensorsOf(detector: string): string[] {
    const places = placesOf(detector);
    return places.length < 2 ? [detector] : places.map((_, i) => `${detector}-${i + 1}`);
  }

  describe(id: string): DetectorInfo {
    const { detector, index } = sensorOf(id);
    const [posXUm, posYUm, rotationDeg] = placesOf(detector)[index] ?? [0, 0, 0];
    const geometry: SensorGeometry = {
      posXUm,
      posYUm,
      posZUm: 0,
      rotationDeg,
      pixelSizeXUm: pixelSizeUm,
      pixelSizeYUm: pixelSizeUm,
      manipulatorShiftUm: 0,
    };
    return { id, xsize, ysize, absGain: absGainOf(detector, index), geometry, pixelType: "uint16" };
  }

  darkPattern(sensorId: string): DarkPattern {
    return this.#ownCanvas().dark(sensorId);
  }

  /** Expected photons of the sensor in an experiment; `calibrationEv`: in an image that calibrates its spectrometer. */
  pattern(experiment: RunSeries, sensorId: string, calibrationEv = NaN): Light {
    const { emission } = experiment;
    const key = `${experiment.beamline} ${experiment.firstRun} ${sensorId}`;
    if (emission !== undefined) {
      const calibrates = { energyEv: calibrationEv, fwhmEv: 0, photons: emission.calibrationPhotons };
      const lines = Number.isNaN(calibrationEv) ? this.linesOf(experiment) : [calibrates];
      return this.#ownCanvas().light(`${key} ${this.#seed} ${calibrationEv}`, () => emissionPattern(lines));
    }
    return this.#ownCanvas().light(key, () => {
      const { geometry } = this.describe(sensorId);
      if (geometry === null)
        throw new SaclaError("INTERNAL", `${sensorId} has no geometry, so nothing can be projected on it.`);
      return makePattern(experiment, geometry);
    });
  }

  /** The lines that a spectrometer sees in an experiment. */
  linesOf({ emission }: RunSeries): readonly EmissionLineTruth[] {
    return emission === undefined ? [] : emissionLines(emission, this.#seed);
  }

  /** Photon energy that a spectrometer lets the sensor see; undefined where there is none. */
  seenEv({ emission }: RunSeries): number | undefined {
    return emission === undefined ? undefined : emissionParameters.middleEv;
  }

  /** ADU of one photon at the experiment's energy. */
  aduPerPhoton(photonEnergyEv: number, sensorId: string): number {
    return photonEnergyEv / (EV_PER_ELECTRON * gainOf(sensorId));
  }

  /** Fills `out` with the image of a shot: whole ADU, row-major. */
  draw(sensorId: string, shot: SimulatedShot, random: Random, out: Pixels): void {
    random.reseed(hash(this.#seed, "image", sensorId, shot.key, shot.tag));
    const canvas = this.#ownCanvas();
    canvas.seed(random);
    const dark = canvas.dark(sensorId);
    this.#drawDark(sensorId, dark, shot, random, canvas);
    if (this.#pulses.reachesSample(shot)) this.#addLight(sensorId, shot, canvas);
    finishBadPixels(dark, random, canvas.image);
    out.set(canvas.image);
  }

  close(): void {
    this.#canvas = undefined;
  }

  #ownCanvas(): SensorCanvas {
    this.#canvas ??= sensorCanvas();
    return this.#canvas;
  }

  #drawDark(sensorId: string, dark: DarkPattern, shot: SimulatedShot, random: Random, canvas: SensorCanvas): void {
    const { image, portOffset, rowOffset } = canvas;
    const noise = readNoiseElectrons / gainOf(sensorId);
    this.#fillPortOffsets(sensorId, shot, portOffset);
    canvas.drawDark(dark, noise);
    noiseTails(image.length, random, (pixel, tail) => {
      const port = portOffset[Math.floor((pixel % xsize) / portWidth)] ?? 0;
      const row = rowOffset[Math.floor(pixel / xsize)] ?? 0;
      image[pixel] = Math.floor((dark.pedestal[pixel] ?? 0) + row + port + noise * tail);
    });
  }

  /** Drift of the whole sensor and of each port; the half makes rounding down rounding to nearest. */
  #fillPortOffsets(sensorId: string, shot: SimulatedShot, portOffset: Float32Array): void {
    const { commonDriftAdu, portDriftAdu, driftKnotSeconds } = mpccdParameters;
    const key = shot.key ^ hash(sensorId);
    const common = commonDriftAdu * this.#pulses.drift(key, salts.commonDrift, shot.tag, driftKnotSeconds);
    for (let port = 0; port < ports; port++) {
      const own = portDriftAdu * this.#pulses.drift(key + port, salts.portDrift, shot.tag, driftKnotSeconds);
      portOffset[port] = common + own + 0.5;
    }
  }

  #addLight(sensorId: string, shot: SimulatedShot, canvas: SensorCanvas): void {
    const light = this.pattern(shot.experiment, sensorId, shot.calibrationEv);
    if (light.total === 0) return;
    const displacementA2 = this.#pulses.displacementA2(shot);
    const exposure: Exposure = {
      aduPerPhoton: this.aduPerPhoton(
        this.seenEv(shot.experiment) ?? this.#pulses.stationPhotonEnergyEv(shot),
        sensorId,
      ),
      intensity: (this.#pulses.stationEnergyJ(shot) * shot.transmission) / shot.experiment.pulseEnergyJ,
      ringFactors: light.rings.map((ring) => shot.sampleFactor * debyeWaller(ring.dSpacingAngstrom, displacementA2)),
      cloudUm: mpccdParameters.chargeCloudShare * thicknessUm(sensorId),
    };
    if (light.total * exposure.intensity > photonByPhotonLimit) canvas.addDensePhotons(light, exposure);
    else canvas.addPhotons(light, exposure);
  }
}

/** Silicon of a sensor, µm: phase III has a B in its id. */
function thicknessUm(sensorId: string): number {
  return /^MPCCD-\dB/.test(sensorId) ? mpccdParameters.phase3ThicknessUm : mpccdParameters.thicknessUm;
}

const gains = new Map<string, number>();

function gainOf(sensorId: string): number {
  const known = gains.get(sensorId);
  if (known !== undefined) return known;
  const { detector, index } = sensorOf(sensorId);
  const gain = absGainOf(detector, index);
  gains.set(sensorId, gain);
  return gain;
}

function finishBadPixels(dark: DarkPattern, random: Random, out: Uint16Array): void {
  dark.hot.forEach((pixel, k) => {
    const leak = dark.hotAdu[k] ?? 0;
    out[pixel] = Math.min(saturationAdu, Math.round((out[pixel] ?? 0) + leak + Math.sqrt(leak) * random.normal()));
  });
  for (const pixel of dark.dead) out[pixel] = Math.round(dark.pedestal[pixel] ?? 0);
}

function sensorOf(id: string): { detector: string; index: number } {
  const match = /^(MPCCD-[28].*)-([1-8])$/.exec(id);
  return match?.[1] === undefined ? { detector: id, index: 0 } : { detector: match[1], index: Number(match[2]) - 1 };
}

function placesOf(detector: string): readonly Place[] {
  if (detector.startsWith("MPCCD-1")) return single;
  if (detector.startsWith("MPCCD-2")) return dual;
  if (!detector.startsWith("MPCCD-8")) return [];
  if (detector.endsWith("-001")) return octal001;
  if (detector.endsWith("-002")) return octal002;
  // Another octal of the same make: mounted a little differently.
  const random = new Random(hash("place", detector));
  return octal001.map(([x, y, rotation]) => [
    x + Math.round(30 * random.normal()),
    y + Math.round(30 * random.normal()),
    Math.round(1e4 * (rotation + 0.02 * random.normal())) / 1e4,
  ]);
}

function absGainOf(detector: string, index: number): number {
  const measured = detector === "MPCCD-8-2-001" ? octal001Gains[index] : undefined;
  if (measured !== undefined) return measured;
  if (!detector.startsWith("MPCCD-8")) return usualGain;
  const random = new Random(hash("gain", detector, index));
  return Math.round(1e3 * (usualGain + 0.4 * random.normal())) / 1e3;
}
