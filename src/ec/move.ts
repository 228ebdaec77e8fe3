import { setMaxListeners } from "node:events";
import { SaclaError, showList, toSaclaError } from "../core/errors.ts";
import { resolveOptions } from "../core/options.ts";
import { type Axis, type MoveOptions, moveChecks } from "./axis.ts";
import type { Setting } from "./simple-devices.ts";
import { toPosition, toPulses } from "./units.ts";

/** One line of the table now → will be. */
export interface MoveRow {
  readonly name: string;
  readonly unit: string;
  readonly now: number | string;
  readonly willBe: number | string;
  /** In units; null of a setting. */
  readonly distance: number | null;
  /** null of a setting. */
  readonly seconds: number | null;
  readonly limits: string;
  /** Why it cannot be done; "" when it can. */
  readonly problem: string;
}

interface AxisPart {
  readonly axis: Axis;
  readonly to: number;
}
interface SettingPart {
  readonly setting: Setting;
  readonly to: number | string;
}

/** Several axes and settings at once: shown first, then done together or not at all. */
export class Move {
  readonly #axes: readonly AxisPart[];
  readonly #settings: readonly SettingPart[];
  #rows: readonly MoveRow[] = [];

  private constructor(axes: readonly AxisPart[], settings: readonly SettingPart[]) {
    this.#axes = axes;
    this.#settings = settings;
  }

  /** Reads where everything is. */
  static async plan(axes: readonly AxisPart[], settings: readonly SettingPart[]): Promise<Move> {
    const move = new Move(axes, settings);
    await move.#look();
    return move;
  }

  /** Now → will be, as it was when the move was planned or last looked at. */
  table(): readonly MoveRow[] {
    return this.#rows;
  }

  /** Why it cannot be done, each as `name: reason`. Empty when it can. */
  get problems(): readonly string[] {
    return this.#rows.filter(({ problem }) => problem !== "").map(({ name, problem }) => `${name}: ${problem}`);
  }

  /** Seconds it takes: that of the slowest axis. */
  get seconds(): number {
    return this.#rows.reduce((longest, { seconds }) => Math.max(longest, seconds ?? 0), 0);
  }

  /**
   * Looks at everything again; when nothing stands against it, puts the settings, then starts all axes together and
   * waits. Gives where the axes are. When one fails on its way the others are stopped.
   * @throws LIMIT, DEVICE_BUSY, INTERLOCK, DEVICE_FAULT, LEASE_LOST, ABORTED
   */
  async go(options: MoveOptions = {}): Promise<Readonly<Record<string, number>>> {
    const code = await this.#look();
    if (code !== undefined) {
      throw new SaclaError(code, `Nothing was moved. ${this.problems.join("; ")}.`, {
        details: { problems: this.problems, table: this.#rows },
      });
    }
    for (const { setting, to } of this.#settings) await setting.set(to);
    const stop = new AbortController();
    const { signal } = resolveOptions("go", options, moveChecks);
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    // Every axis listens to it; Node.js takes more than ten listeners for a leak.
    setMaxListeners(0, both);
    let first: unknown;
    const tries = this.#axes.map(async ({ axis, to }) => {
      try {
        return await axis.moveTo(to, { signal: both });
      } catch (error) {
        if (!stop.signal.aborted) {
          first = error;
          stop.abort();
        }
        throw error;
      }
    });
    const ends = await Promise.allSettled(tries);
    if (first === undefined) return Object.fromEntries(this.#axes.map(({ axis }, i) => [axis.name, arrived(ends[i])]));
    throw await this.#stopped(toSaclaError(first));
  }

  async #stopped(failure: SaclaError): Promise<SaclaError> {
    if (this.#axes.length === 1) return failure;
    const where: string[] = [];
    for (const { axis } of this.#axes)
      where.push(
        await axis.read().then(
          ({ value }) => `${axis.name} at ${axis.show(Number(value))}`,
          () => `${axis.name} unknown`,
        ),
      );
    return new SaclaError(failure.code, `${failure.message} The other axes were stopped: ${showList(where, 20)}.`, {
      details: failure.details,
      cause: failure,
    });
  }

  /** Fills the table; gives the code of the first problem. */
  async #look(): Promise<SaclaError["code"] | undefined> {
    let code: SaclaError["code"] | undefined;
    const note = (found: SaclaError["code"]): void => {
      code ??= found;
    };
    const axes = await Promise.all(this.#axes.map(async (part) => await axisRow(part, note)));
    const settings = await Promise.all(this.#settings.map(async (part) => await settingRow(part, note)));
    this.#rows = [...axes, ...settings];
    return code;
  }
}

async function axisRow({ axis, to }: AxisPart, note: (code: SaclaError["code"]) => void): Promise<MoveRow> {
  const { position, state, why } = await axis.read();
  const limit = axis.problem(to);
  // It goes by whole pulses.
  const willBe = toPosition(axis.definition, toPulses(axis.definition, to));
  const states = stateProblem(state, why);
  if (limit !== "") note("LIMIT");
  if (states !== undefined) note(states.code);
  return {
    name: axis.name,
    unit: axis.unit,
    now: position,
    willBe,
    distance: willBe - position,
    seconds: axis.seconds(position, to),
    limits: axis.showLimits(),
    problem: [limit, states?.text ?? ""].filter((text) => text !== "").join(", and "),
  };
}

async function settingRow({ setting, to }: SettingPart, note: (code: SaclaError["code"]) => void): Promise<MoveRow> {
  const { value, state, why } = await setting.read();
  const { allowed, unit } = setting.info;
  const limit = setting.problem(to);
  const states = stateProblem(state, why);
  if (limit !== "") note("LIMIT");
  if (states !== undefined) note(states.code);
  return {
    name: setting.name,
    unit,
    now: value,
    willBe: to,
    distance: null,
    seconds: null,
    limits: "from" in allowed ? `${allowed.from} … ${allowed.to}` : showList(allowed),
    problem: [limit, states?.text ?? ""].filter((text) => text !== "").join(", and "),
  };
}

function stateProblem(
  state: string,
  why: string,
): { code: "DEVICE_BUSY" | "INTERLOCK" | "DEVICE_FAULT"; text: string } | undefined {
  const because = why === "" ? "" : `: ${why}`;
  if (state === "moving") return { code: "DEVICE_BUSY", text: "it is still moving" };
  if (state === "locked") return { code: "INTERLOCK", text: `it is locked${because}` };
  if (state === "fault") return { code: "DEVICE_FAULT", text: `it is at fault${because}` };
  return undefined;
}

function arrived(end: PromiseSettledResult<number> | undefined): number {
  return end?.status === "fulfilled" ? end.value : NaN;
}
