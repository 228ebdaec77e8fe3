import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { SaclaError } from "../core/errors.ts";
import type { Endpoint } from "../transport/index.ts";
import type { CallParams } from "../transport/methods.ts";
import { isScanMethod, type PageScan } from "../transport/scan-methods.ts";
import { besideModule, startProcess } from "../transport/threads.ts";
import type { ScanNews, ScanOrder } from "./scan-process.ts";

/** Remarks that are kept. */
const NOTES = 20;
/** A scan that is told to abort is ended by force after so long; its lease then ends by itself. */
const CLOSE_MS = 2000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Start = CallParams<"page.startScan">;

/** A scan in a process of its own. */
class RunningScan {
  readonly scan: Mutable<PageScan>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor({ bl, name, reason, settings }: Start, url: string, experiment: string | undefined) {
    this.scan = {
      id: randomUUID(),
      by: name,
      reason,
      settings,
      state: "starting",
      line: "starting",
      began: Date.now() / 1000,
      ended: null,
      points: [],
      notes: [],
      error: null,
      journal: null,
    };
    this.#child = startProcess(besideModule(import.meta.url, "scan-process"));
    this.#child.stderr?.resume();
    this.#child.on("message", (news: ScanNews) => this.#hear(news));
    this.#ended = new Promise((resolve) => {
      const gone = (): void => {
        if (this.isOn)
          this.#end("failed", "The process of the scan has died; its lease ends, and what moves is stopped.");
        resolve();
      };
      this.#child.once("error", gone);
      this.#child.once("exit", gone);
    });
    this.order({ kind: "scan", task: { url, bl, name, reason, settings, experiment } });
  }

  get isOn(): boolean {
    return this.scan.ended === null;
  }

  order(order: ScanOrder): void {
    if (this.#child.connected) this.#child.send(order, undefined, undefined, () => {});
  }

  async close(): Promise<void> {
    if (!this.isOn) return;
    this.order({ kind: "abort" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #hear(news: ScanNews): void {
    const { scan } = this;
    if (news.kind === "journal") scan.journal = news.path;
    else if (news.kind === "note") scan.notes = [...scan.notes, news.text].slice(-NOTES);
    else if (news.kind === "point") scan.points = [...scan.points, news.point];
    else if (news.kind === "ended") this.#end(news.state, null);
    else if (news.kind === "failed") this.#end("failed", news.error.message);
    else if (this.isOn) {
      scan.state = news.state;
      scan.line = news.line;
    }
  }

  #end(state: PageScan["state"], error: string | null): void {
    const { scan } = this;
    scan.state = state;
    scan.line = state;
    scan.error = error;
    scan.ended = Date.now() / 1000;
  }
}

/**
 * An Endpoint that also runs scans for the page, each in a process of its own that reaches the beamline at `url`.
 * `control` answers the rest.
 */
export function withScans(control: Endpoint, url: string, experiment: string | undefined): Endpoint {
  const scans = new Map<number, RunningScan>();
  const handle = {
    "page.scan": ({ bl }: CallParams<"page.scan">) => ({ scan: scans.get(bl)?.scan ?? null, now: Date.now() / 1000 }),
    "page.startScan": (start: Start) => {
      const before = scans.get(start.bl);
      if (before?.isOn === true)
        throw new SaclaError("DEVICE_BUSY", `A scan of ${before.scan.by} is on; stop it, or wait until it is done.`);
      const made = new RunningScan(start, url, experiment);
      scans.set(start.bl, made);
      return { id: made.scan.id };
    },
    "page.doScan": ({ bl, what }: CallParams<"page.doScan">) => {
      const found = scans.get(bl);
      if (found?.isOn !== true) throw new SaclaError("DEVICE_BUSY", "No scan is on, so nothing can be done to it.");
      found.order({ kind: what });
      return {};
    },
  } as const;
  return {
    call: async (method, params, options) =>
      isScanMethod(method)
        ? (handle[method] as (params: unknown) => never)(params)
        : await control.call(method, params, options),
    stream: (method, params, options) => control.stream(method, params, options),
    close: async () => {
      // Leases end, and what moves is stopped, before anything is waited for.
      await control.close();
      await Promise.all([...scans.values()].map((scan) => scan.close()));
    },
  };
}
