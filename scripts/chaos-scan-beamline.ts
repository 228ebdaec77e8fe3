/**
 * The beamline of scripts/chaos-scan.ts: the simulated facility under the real `withControl`, served to other
 * processes.
 */
import { sleep } from "../src/core/async.ts";
import { type ControlDriver, type EndedLease, withControl } from "../src/ec/index.ts";
import { createSimulatedFacility, type SimulatedFacility } from "../src/facility/index.ts";
import { type Server, serve } from "../src/server/index.ts";
import { endpointOf } from "../src/source/source-endpoint.ts";
import type { Endpoint } from "../src/transport/endpoint.ts";
import { inProcess } from "../src/transport/in-process.ts";
import { devices, LEASE_MS, MONITOR, PULSES_PER_PS, PULSES_PER_SPOT } from "./chaos-scan-setup.ts";

/** Facility seconds per second. */
const FACILITY_SPEED = 15;
const SHUTTER_FLAG = "xfel_bl_3_shutter_1_open_valid/status";
const BACKLASH_PULSES = 5;
const axes = [devices.delay, devices.x, devices.y];
const WAIT_MS = 20_000;

/** The stages, the shutter and the keeper of the lease, which outlive the programs that use them. */
export class Beamline {
  readonly faults: string[] = [];
  /** How often the shutter was opened on each spot, `x y`. */
  readonly openings = new Map<string, number>();
  /** What was done when leases ended that nobody gave back. */
  readonly madeSafe = { axesStopped: 0, shuttersClosed: 0, nothingToDo: 0 };
  readonly #facility: SimulatedFacility;
  /** The last command each device was given. */
  readonly #told = new Map<string, "move" | "stop" | "open" | "close">();
  readonly #ended: EndedLease[] = [];
  #endpoint: Endpoint | undefined;
  #server: Server | undefined;
  #mustBeSafeFirst = false;

  private constructor(seed: number) {
    this.#facility = createSimulatedFacility({ seed, speed: FACILITY_SPEED });
  }

  static async open(seed: number, address: string): Promise<Beamline> {
    const beamline = new Beamline(seed);
    const controlled = withControl(endpointOf(beamline.#facility), beamline.#watched(), {
      onLeaseEnd: (ended) => void beamline.#onLeaseEnd(ended),
    });
    beamline.#endpoint = inProcess(controlled);
    beamline.#server = await serve(beamline.#endpoint, { zmq: [address] });
    return beamline;
  }

  get address(): string {
    return this.#server?.addresses[0] ?? "";
  }

  async close(): Promise<void> {
    await this.#server?.close();
    await this.#endpoint?.close();
  }

  /** A program that resumes must leave everything safe before it does anything else. */
  expect(isResumed: boolean): void {
    this.#mustBeSafeFirst = isResumed;
  }

  /** What the devices are doing. */
  async doing(): Promise<string> {
    const { state, value } = await this.#facility.control.read(devices.shutter);
    if (state === "moving") return value === "open" ? "closing" : "opening";
    if (value === "open") return "shots";
    const readings = await Promise.all(axes.map((axis) => this.#facility.control.read(axis)));
    return readings.some((reading) => reading.state === "moving") ? "move" : "nothing";
  }

  /** Waits for the end of the `n`-th lease, and until all is at rest; gives how it ended. */
  async leaseEnds(n: number): Promise<EndedLease["how"] | "held"> {
    await until(() => this.#ended[n - 1] !== undefined, LEASE_MS + WAIT_MS);
    const how = this.#ended[n - 1]?.how ?? "held";
    const atRest = await until(async () => (await this.doing()) === "nothing", WAIT_MS);
    if (!atRest) this.faults.push(`${await this.doing()} goes on without a holder`);
    return how;
  }

  /** What the truth of the facility says against shots that a point claims. */
  faultsOfPoint(delayPs: number, spot: { readonly x: number; readonly y: number }, tags: readonly number[]): string[] {
    const { truth } = this.#facility;
    const [hightag] = this.#facility.newestTag(MONITOR);
    const open = this.#facility.column(SHUTTER_FLAG, hightag, Uint32Array.from(tags));
    const wanted = [
      [devices.delay, delayPs * PULSES_PER_PS],
      [devices.x, spot.x * PULSES_PER_SPOT],
      [devices.y, spot.y * PULSES_PER_SPOT],
    ] as const;
    return tags.flatMap((tag, i) => [
      ...(open.values[i] === 1 ? [] : [`the shutter was not open at tag ${tag}`]),
      ...wanted.flatMap(([axis, pulses]) => {
        const at = truth.load(3, axis, tag);
        return Math.abs(at - pulses) <= BACKLASH_PULSES
          ? []
          : [`${axis} was at ${at} instead of ${pulses} pulses at tag ${tag}`];
      }),
    ]);
  }

  /** Pulses that have hit a spot, by the truth of the facility. */
  hits({ x, y }: { readonly x: number; readonly y: number }): number {
    return this.#facility.truth.shotsOnSpot(3, x * PULSES_PER_SPOT, y * PULSES_PER_SPOT);
  }

  /** The facility's driver, every command looked at on its way. */
  #watched(): ControlDriver {
    const driver = this.#facility.control;
    const bound = <K extends keyof ControlDriver>(name: K): ControlDriver[K] => {
      const found: unknown = driver[name];
      return (typeof found === "function" ? found.bind(driver) : found) as ControlDriver[K];
    };
    return {
      name: driver.name,
      devices: bound("devices"),
      read: bound("read"),
      preset: bound("preset"),
      setSpeed: bound("setSpeed"),
      set: bound("set"),
      startRun: bound("startRun"),
      pauseRun: bound("pauseRun"),
      resumeRun: bound("resumeRun"),
      stopRun: bound("stopRun"),
      runState: bound("runState"),
      beam: bound("beam"),
      close: bound("close"),
      move: async (axis, pulses) => {
        this.#checkSafeSeen(`moved ${axis}`);
        if ((await driver.read(devices.shutter)).value === "open")
          this.faults.push(`moved ${axis} with the shutter open`);
        await driver.move(axis, pulses);
        this.#told.set(axis, "move");
      },
      stop: async (axis) => {
        await driver.stop(axis);
        this.#told.set(axis, "stop");
      },
      setShutter: async (shutter, open) => {
        if (open) await this.#lookAtOpening();
        else this.#mustBeSafeFirst = false;
        await driver.setShutter(shutter, open);
        this.#told.set(shutter, open ? "open" : "close");
      },
    };
  }

  async #lookAtOpening(): Promise<void> {
    this.#checkSafeSeen("opened the shutter");
    const [x, y, delay] = await Promise.all(
      [devices.x, devices.y, devices.delay].map((axis) => this.#facility.control.read(axis)),
    );
    if ([x, y, delay].some((reading) => reading?.state !== "ready"))
      this.faults.push("opened the shutter while an axis moved");
    const spot = `${Number(x?.value) / PULSES_PER_SPOT} ${Number(y?.value) / PULSES_PER_SPOT}`;
    this.openings.set(spot, (this.openings.get(spot) ?? 0) + 1);
  }

  #checkSafeSeen(what: string): void {
    if (this.#mustBeSafeFirst) this.faults.push(`a resumed scan ${what} before the safe state`);
  }

  /**
   * Looks before anybody can take the lease again: what still moves must have been told to stop, the shutter to close.
   */
  async #onLeaseEnd(ended: EndedLease): Promise<void> {
    const { how, done } = ended;
    if (how !== "released") {
      const stopped = done.filter((line) => / stopped/.test(line)).length;
      const closed = done.filter((line) => / closed$/.test(line)).length;
      this.madeSafe.axesStopped += stopped;
      this.madeSafe.shuttersClosed += closed;
      if (stopped + closed === 0) this.madeSafe.nothingToDo++;
      if (stopped + closed !== done.length) this.faults.push(`could not be made safe: ${done.join("; ")}`);
    }
    if (this.#told.get(devices.shutter) === "open")
      this.faults.push(`the lease ended (${how}) with the shutter told to be open`);
    for (const axis of axes) {
      const { state } = await this.#facility.control.read(axis);
      if (state === "moving" && this.#told.get(axis) === "move")
        this.faults.push(`the lease ended (${how}) and ${axis} went on`);
    }
    this.#ended.push(ended);
  }
}

/** Whether it became so in time. */
async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; !(await isSo()); await sleep(5))
    if (performance.now() > end) return false;
  return true;
}
