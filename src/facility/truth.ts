import { SaclaError } from "../core/errors.ts";
import type { ControlledBeamline, DeviceRests } from "./control/beamline.ts";
import type { EmissionLineTruth, Pump } from "./experiment.ts";
import { liveTag } from "./experiments.ts";
import type { MpccdModel } from "./models/mpccd.ts";
import { timingParameters } from "./parameters.ts";
import type { PlannedRun } from "./planned-run.ts";
import type { PulseModel } from "./pulse.ts";
import { delayFs, pumpResponse } from "./response.ts";
import { ringRadiusUm, type SampleSpot } from "./samples.ts";
import type { SimulatedShot } from "./shot.ts";

/** One shot without any measurement error. */
export interface ShotTruth {
  /** −1 outside of runs. */
  readonly run: number;
  /** Whether the accelerator delivered a pulse. */
  readonly hasBeam: boolean;
  /** Whether it came through the shutter. */
  readonly hasXrays: boolean;
  readonly isPumped: boolean;
  /** Of the pulse at the beam monitors, had it come, J. */
  readonly pulseEnergyJ: number;
  readonly photonEnergyEv: number;
  /** How much later than nominal the X-rays came, against the optical laser. */
  readonly arrivalFs: number;
  /** Pump–probe delay; NaN without pump. */
  readonly delayFs: number;
  /** Column of the timing-monitor edge, were it seen; NaN without X-rays. */
  readonly edgePixel: number;
  /** Share of the light that the edge takes; 0 where none is to be seen. */
  readonly edgeDepth: number;
  /** Column of a second edge; NaN where there is none. */
  readonly secondEdgePixel: number;
  /** Growth of the mean square displacement by the pump laser, Å². */
  readonly displacementA2: number;
  /** Factor on ring (110): pump laser and damage. Another ring has sampleFactor · exp(−q²Δu²/3). */
  readonly ringFactor: number;
  /** Share that the monochromator lets through to the stations; 1 when it is out. */
  readonly passedShare: number;
  /** Share that attenuator and pulse selector let through to the sample. */
  readonly transmission: number;
  /** What damage has left of the sample's signal. */
  readonly sampleFactor: number;
}

/** A sensor without light and without noise. Arrays are copies, row-major, 1024 × 512. */
export interface SensorTruth {
  readonly pedestalAdu: Float32Array;
  readonly hotPixels: Uint32Array;
  readonly deadPixels: Uint32Array;
  /** Expected photons per pixel of a shot of nominal pulse energy without pump laser. */
  readonly expectedPhotons: Float32Array;
  readonly aduPerPhoton: number;
}

/** The hidden truth of the crystal: where in the motor's pulses it reflects, and how widely. */
export interface Crystal {
  readonly centrePulse: number;
  /** Rms width of the rocking curve. */
  readonly sigmaPulse: number;
  /** What the diode sees far from the peak, as a share of the peak. */
  readonly background: number;
}

/** What is behind the simulated measurements. */
export class FacilityTruth {
  readonly #runAt: (bl: number, run: number) => PlannedRun | undefined;
  readonly #control: ReadonlyMap<number, ControlledBeamline>;
  readonly #mpccd: MpccdModel;
  readonly #pulses: PulseModel;
  readonly #shotAt: (bl: number, hightag: number, tag: number) => SimulatedShot;
  /** fs per stage pulse, fs per pixel and zero of the timing monitor. */
  readonly timing: typeof timingParameters = timingParameters;

  constructor(
    mpccd: MpccdModel,
    pulses: PulseModel,
    shotAt: (bl: number, hightag: number, tag: number) => SimulatedShot,
    runAt: (bl: number, run: number) => PlannedRun | undefined,
    control: ReadonlyMap<number, ControlledBeamline>,
  ) {
    this.#mpccd = mpccd;
    this.#pulses = pulses;
    this.#shotAt = shotAt;
    this.#runAt = runAt;
    this.#control = control;
  }

  /** @internal Where devices stand when what goes on is over, for a facility that begins with them so. */
  get rests(): DeviceRests {
    return Object.assign({}, ...[...this.#control.values()].map((beamline) => beamline.rests())) as DeviceRests;
  }

  /** @throws UNKNOWN_HIGHTAG when the beamline has no shots of it */
  shot(bl: number, hightag: number, tag: number): ShotTruth {
    const shot = this.#shotAt(bl, hightag, tag);
    const { pump } = shot.experiment;
    const { transmission, sampleFactor } = shot;
    const arrivalFs = this.#pulses.arrivalFs(shot);
    const edge = this.#pulses.edge(shot);
    return {
      run: shot.run,
      hasBeam: this.#pulses.hasBeam(shot),
      hasXrays: this.#pulses.hasXrays(shot),
      isPumped: shot.laserShutterOpen,
      pulseEnergyJ: this.#pulses.energyJ(shot),
      photonEnergyEv: this.#pulses.photonEnergyEv(shot),
      arrivalFs,
      delayFs: pump === undefined ? NaN : delayFs(pump, shot.delayPulse, arrivalFs),
      edgePixel: this.#pulses.edgePixel(shot),
      edgeDepth: edge.depth,
      secondEdgePixel: edge.secondPixel,
      displacementA2: this.#pulses.displacementA2(shot),
      ringFactor: this.#pulses.ringFactor(shot),
      passedShare: this.#pulses.passedShare(shot),
      transmission,
      sampleFactor,
    };
  }

  /** @throws UNKNOWN_DETECTOR when the run has no such MPCCD sensor */
  sensor(bl: number, run: number, detId: string): SensorTruth {
    const { experiment } = this.#run(bl, run);
    const sensors = experiment.detectors.flatMap((id) => (this.#mpccd.owns(id) ? this.#mpccd.sensorsOf(id) : []));
    if (!sensors.includes(detId)) throw new SaclaError("UNKNOWN_DETECTOR", `Run ${run} has no MPCCD sensor ${detId}.`);
    const dark = this.#mpccd.darkPattern(detId);
    return {
      pedestalAdu: dark.pedestal.slice(),
      hotPixels: dark.hot.slice(),
      deadPixels: dark.dead.slice(),
      expectedPhotons: this.#mpccd.pattern(experiment, detId).expected.slice(),
      aduPerPhoton: this.#mpccd.aduPerPhoton(this.#mpccd.seenEv(experiment) ?? experiment.photonEnergyEv, detId),
    };
  }

  /** Radii of the powder rings in the detector plane, µm. */
  ringRadiiUm(bl: number, run: number): number[] {
    const { sample, photonEnergyEv } = this.#run(bl, run).experiment;
    return sample.rings.flatMap((ring) => ringRadiusUm(ring, sample.distanceMm, photonEnergyEv) ?? []);
  }

  /** Bragg spots in the detector plane, µm. */
  spots(bl: number, run: number): readonly SampleSpot[] {
    return this.#run(bl, run).experiment.sample.spots;
  }

  /** Emission lines of a run, where they really are; none where there is no spectrometer. */
  emissionLines(bl: number, run: number): readonly EmissionLineTruth[] {
    return this.#mpccd.linesOf(this.#run(bl, run).experiment);
  }

  /** The pump laser of a run, with its t0; undefined without one. */
  pump(bl: number, run: number): Pump | undefined {
    return this.#run(bl, run).experiment.pump;
  }

  /** How much of the pump's displacement there is at a delay in fs, 0 to 1. */
  pumpResponse(pump: Pump, tauFs: number): number {
    return pumpResponse(pump, tauFs);
  }

  /** Hidden numbers of a device of the simulated beamline, by name; none where there is no such device. */
  device(bl: number, name: string): Readonly<Record<string, number>> {
    return this.#controlled(bl).truthOf(name);
  }

  /** Where the crystal of a beamline reflects: NaN where there is none. */
  crystal(bl: number): Crystal {
    const { centrePulse = NaN, sigmaPulse = NaN, background = NaN } = this.device(bl, "crystal");
    return { centrePulse, sigmaPulse, background };
  }

  /** How far the zeros of the monochromator's crystals are off, pulses: NaN where there is none. */
  monochromatorZeros(bl: number): readonly [first: number, second: number] {
    const { firstZero = NaN, secondZero = NaN } = this.device(bl, "channel-cut");
    return [firstZero, secondZero];
  }

  /** The pump laser of the runs that control starts; undefined where there is none. */
  controlledPump(bl: number): Pump | undefined {
    return this.#controlled(bl).pump;
  }

  /**
   * Where the load of a stage was at a tag, behind its backlash: pulses that no preset changes.
   * @throws UNKNOWN_DEVICE
   */
  load(bl: number, axis: string, tag: number): number {
    const stage = this.#controlled(bl).stages.get(axis);
    if (stage === undefined) throw new SaclaError("UNKNOWN_DEVICE", `Beamline ${bl} has no axis ${axis}.`);
    return stage.loadAt(tag - liveTag);
  }

  /** Shots that have hit the spot of the sample at a place, pulses of its load. */
  shotsOnSpot(bl: number, x: number, y: number): number {
    return this.#controlled(bl).hits([x, y]);
  }

  #controlled(bl: number): ControlledBeamline {
    const beamline = this.#control.get(bl);
    if (beamline === undefined) throw new SaclaError("UNKNOWN_BEAMLINE", `There is no beamline ${bl}.`);
    return beamline;
  }

  #run(bl: number, run: number): PlannedRun {
    const planned = this.#runAt(bl, run);
    if (planned === undefined) throw new SaclaError("UNKNOWN_RUN", `There is no run ${run} on beamline ${bl}.`);
    return planned;
  }
}
