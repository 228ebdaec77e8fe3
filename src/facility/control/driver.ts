import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError, show, showList } from "../../core/errors.ts";
import { nearestNames } from "../../core/nearest-names.ts";
import type {
  AcceleratorSide,
  BeamState,
  ControlDriver,
  DeviceInfo,
  DeviceReading,
  RunRequest,
  RunState,
} from "../../ec/index.ts";
import { liveHightag, liveTag } from "../experiments.ts";
import type { Accelerator } from "./accelerator.ts";
import type { ControlledBeamline } from "./beamline.ts";
import type { SimulatedOperators } from "./operators.ts";
import type { Stage } from "./stage.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What the driver asks of the facility. */
interface DriverContext {
  readonly name: string;
  readonly beamlines: ReadonlyMap<number, ControlledBeamline>;
  readonly virtualTime: VirtualTime;
  /** Ticks since the facility was created. */
  now(): number;
  /** The newest run of a beamline so far. */
  newestRun(bl: number): number;
  readonly machine: Accelerator;
  readonly operators: SimulatedOperators;
}

/**
 * Control of the simulated facility. From the first lease or change on, a beamline does only what it is told: the
 * runs that begin by themselves are over, and shots have beam while its shutter is open.
 */
export class SimulatedControl implements ControlDriver {
  readonly #context: DriverContext;

  constructor(context: DriverContext) {
    this.#context = context;
  }

  readonly accelerator: AcceleratorSide = {
    rules: async (bl) => this.#beamline(bl).requestRules,
    state: async (bl) => {
      const now = this.#context.now();
      const mode = this.#context.machine.mode(this.#beamline(bl).bl, now / TAG_RATE_HZ);
      return { mode, shot: [liveHightag, liveTag + Math.floor(now)] };
    },
    answer: async (request, signal) => {
      this.#context.virtualTime.go();
      return await this.#context.operators.answer(request, signal);
    },
  };

  get name(): string {
    return this.#context.name;
  }

  async devices(bl: number): Promise<readonly DeviceInfo[]> {
    return this.#beamline(bl).infos();
  }

  async read(device: string): Promise<DeviceReading> {
    const bl = this.#beamlineOf(device);
    const shutter = bl.shutters.get(device);
    const found = shutter ?? bl.stages.get(device) ?? bl.settings.get(device);
    if (found === undefined) throw unknownDevice(device, bl);
    const left = found.restsAt() - this.#context.now();
    if (left > 0) this.#context.virtualTime.asked(`read ${device}`, left);
    const now = this.#context.now();
    bl.closeForInterlocks(now);
    return shutter === undefined ? found.read(now) : bl.readShutter(shutter, now);
  }

  async move(axis: string, pulses: number): Promise<void> {
    this.#change(axis, (bl, now) => this.#stage(bl, axis).move(now, pulses));
  }

  async stop(axis: string): Promise<void> {
    const bl = this.#beamlineOf(axis);
    this.#stage(bl, axis).stop(this.#context.now());
  }

  async preset(axis: string, pulses: number): Promise<void> {
    this.#change(axis, (bl, now) => this.#stage(bl, axis).preset(now, pulses));
  }

  async setSpeed(axis: string, pulsesPerSecond: number): Promise<void> {
    this.#change(axis, (bl) => this.#stage(bl, axis).setSpeed(pulsesPerSecond));
  }

  async setShutter(shutter: string, open: boolean): Promise<void> {
    const bl = this.#beamlineOf(shutter);
    const found = bl.shutters.get(shutter);
    if (found === undefined) throw unknownDevice(shutter, bl);
    if (!open) {
      bl.closeForInterlocks(this.#context.now());
      found.set(this.#context.now(), false);
      return;
    }
    this.#change(shutter, (_, now) => {
      const { state, why } = bl.readShutter(found, now);
      if (state === "locked")
        throw new SaclaError("INTERLOCK", `${shutter} cannot be opened: ${why}.`, { details: { shutter, why } });
      found.set(now, true);
    });
  }

  async set(setting: string, value: number | string): Promise<void> {
    this.#change(setting, (bl, now) => {
      const found = bl.settings.get(setting);
      if (found === undefined) throw unknownDevice(setting, bl);
      found.set(now, value);
    });
  }

  async leased(bl: number): Promise<void> {
    this.#takeOver(this.#beamline(bl), this.#context.now());
  }

  async startRun(bl: number, request: RunRequest): Promise<{ run: number }> {
    const beamline = this.#beamline(bl);
    beamline.runs.check(request);
    const now = this.#context.now();
    this.#take(beamline, now);
    return { run: beamline.runs.start(now, request) };
  }

  async pauseRun(bl: number): Promise<void> {
    this.#beamline(bl).runs.pause(this.#context.now());
  }

  async resumeRun(bl: number): Promise<void> {
    this.#beamline(bl).runs.resume(this.#context.now());
  }

  async stopRun(bl: number): Promise<void> {
    this.#beamline(bl).runs.stop(this.#context.now());
  }

  async runState(bl: number): Promise<RunState> {
    const { runs } = this.#beamline(bl);
    const { state } = runs.state(this.#context.now(), 0);
    if (state === "running" || state === "stopping") this.#context.virtualTime.asked(`runState ${bl}`);
    return runs.state(this.#context.now(), this.#context.newestRun(bl));
  }

  async beam(bl: number): Promise<BeamState> {
    const beamline = this.#beamline(bl);
    const before = this.#context.now();
    beamline.closeForInterlocks(before);
    const { on, until } = beamline.beam(before);
    // A shutter that nobody opens stays closed: that is no reason for time to pass.
    if (!on && until > before) this.#context.virtualTime.asked(`beam ${bl}`, until - before);
    const now = this.#context.now();
    beamline.closeForInterlocks(now);
    const state = beamline.beam(now);
    return { on: state.on, why: state.why };
  }

  async close(): Promise<void> {}

  /** What is refused takes nothing over. */
  #change(device: string, work: (bl: ControlledBeamline, now: number) => void): void {
    const bl = this.#beamlineOf(device);
    const now = this.#context.now();
    // A shutter that an interlock closed must be known as closed before it is changed.
    bl.closeForInterlocks(now);
    work(bl, now);
    this.#take(bl, now);
  }

  #take(bl: ControlledBeamline, now: number): void {
    this.#takeOver(bl, now);
    this.#context.virtualTime.go();
  }

  #takeOver(bl: ControlledBeamline, now: number): void {
    bl.runs.take(now, this.#context.newestRun(bl.bl));
  }

  #stage(bl: ControlledBeamline, axis: string): Stage {
    const stage = bl.stages.get(axis);
    if (stage === undefined) throw unknownDevice(axis, bl);
    return stage;
  }

  #beamline(bl: number): ControlledBeamline {
    const found = this.#context.beamlines.get(bl);
    if (found !== undefined) return found;
    const known = [...this.#context.beamlines.keys()];
    throw new SaclaError("UNKNOWN_BEAMLINE", `There is no beamline ${bl} in ${this.name}; it has ${showList(known)}.`, {
      details: { bl, known },
    });
  }

  #beamlineOf(device: string): ControlledBeamline {
    const found = this.#context.beamlines.get(Number(/^bl(\d+)_/.exec(device)?.[1]));
    if (found !== undefined) return found;
    throw new SaclaError(
      "UNKNOWN_DEVICE",
      `There is no device ${show(device)} in ${this.name}; names are like bl3_st2_pm001.`,
      { details: { device } },
    );
  }
}

function unknownDevice(device: string, bl: ControlledBeamline): SaclaError {
  const names = bl.infos().map(({ name }) => name);
  const near = nearestNames(device, names, 3);
  const which = near.length > 0 ? `the nearest are ${showList(near)}` : `it has ${showList(names)}`;
  return new SaclaError("UNKNOWN_DEVICE", `Beamline ${bl.bl} has no device ${show(device)}; ${which}.`, {
    details: { device, near },
  });
}
