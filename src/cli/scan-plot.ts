import type { Control } from "../ec/index.ts";
import type { ScanCallback } from "../scan/index.ts";
import type { Session } from "./command.ts";
import { unitOfSignal } from "./scan-beam.ts";

/** Between two drawings while the scan goes on. */
const EVERY_MS = 1000;

/**
 * Keeps a picture of the curve up to date while a scan goes on: it is written at the first point, then after every
 * point, but not more often than once a second. When it cannot be written the scan goes on, and one line says so.
 */
export class ScanPlot implements ScanCallback {
  readonly #draw: () => void;
  readonly #say: (text: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStale = false;
  #hasFailed = false;

  constructor(draw: () => void, say: (text: string) => void) {
    this.#draw = draw;
    this.#say = say;
  }

  point(): void {
    this.#isStale = true;
    if (this.#timer === undefined) this.#refresh();
  }

  /** Draws it for the last time. @throws WRITE_FAILED */
  end(): void {
    clearTimeout(this.#timer);
    this.#isStale = false;
    this.#draw();
  }

  #refresh(): void {
    this.#timer = undefined;
    if (!this.#isStale) return;
    this.#isStale = false;
    try {
      this.#draw();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed)
        this.#say(`the plot is not up to date: ${error instanceof Error ? error.message : String(error)}`);
      this.#hasFailed = true;
    }
    this.#timer = setTimeout(() => this.#refresh(), EVERY_MS);
    this.#timer.unref();
  }
}

/**
 * Units of what a table holds, filled in as they become known: those of axes from the experiment file, those of signals
 * from the database.
 */
export class ScanUnits implements ScanCallback {
  readonly units: Record<string, string> = {};
  readonly #session: Pick<Session, "facility">;
  readonly #control: Control;
  readonly #idOf: (signal: string) => string;
  readonly #asked = new Map<string, Promise<void>>();

  constructor(session: Pick<Session, "facility">, control: Control, idOf: (signal: string) => string) {
    this.#session = session;
    this.#control = control;
    this.#idOf = idOf;
  }

  point({ data, taken }: Parameters<NonNullable<ScanCallback["point"]>>[0]): void {
    for (const name of Object.keys(data)) this.#ask(name, async () => this.#control.axis(name).unit);
    for (const name of Object.keys(taken?.values ?? {}))
      this.#ask(name, async () => await unitOfSignal(this.#session.facility, this.#idOf(name)));
  }

  /** Resolves when all that were asked for are known or known not to be. */
  async settled(): Promise<void> {
    await Promise.all(this.#asked.values());
  }

  #ask(name: string, find: () => Promise<string>): void {
    if (this.#asked.has(name)) return;
    const take = (unit: string): void => {
      this.units[name] = unit;
    };
    // A plan may name its numbers as it likes; what has no unit is shown without.
    this.#asked.set(
      name,
      find().then(take, () => {}),
    );
  }
}
