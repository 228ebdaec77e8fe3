import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { SaclaError, show, showList, toSaclaError } from "../core/errors.ts";
import { shellWord } from "../core/shell-word.ts";
import { plainTime } from "../core/time-text.ts";
import { fromWireError } from "../transport/codec.ts";
import type { Endpoint } from "../transport/index.ts";
import type { CallParams } from "../transport/methods.ts";
import type { PageDryRun, PageScan, PageScanSettings, scanMethods } from "../transport/scan-methods.ts";
import { besideModule, startProcess } from "../transport/threads.ts";
import { withHandlers } from "../transport/wrappers/with-handlers.ts";
import { isPlanFile } from "./load-plan.ts";
import type { PageFiles } from "./page-options.ts";
import type { ScanNews, ScanOrder } from "./scan-process.ts";

/** Remarks that are kept. */
const NOTES = 20;
/** A scan that is told to abort is ended by force after so long; its lease then ends by itself. */
const CLOSE_MS = 2000;
/** A dry run that takes longer is given up: the plan perhaps never ends. */
const LOOK_MS = 60_000;
/** Plans that are listed. */
const MOST_FILES = 500;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Start = CallParams<"page.startScan">;

/** A scan in a process of its own. */
class RunningScan {
  readonly scan: Mutable<PageScan>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  /** @param given - the settings with the path of a file */
  constructor({ bl, name, reason, settings }: Start, given: PageScanSettings, url: string, experiment?: string) {
    this.scan = {
      id: randomUUID(),
      by: name,
      reason,
      settings,
      state: "starting",
      isHeld: false,
      line: "starting",
      began: Date.now() / 1000,
      ended: null,
      total: null,
      secondsLeft: null,
      points: [],
      answers: [],
      units: {},
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
    this.order({ kind: "scan", task: { url, bl, name, reason, settings: given, experiment } });
  }

  get isOn(): boolean {
    return this.scan.ended === null;
  }

  order(order: ScanOrder): void {
    if (order.kind === "abort") this.#note(`told to abort at ${plainTime(new Date())} JST, by STOP or "abort now"`);
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
    else if (news.kind === "note") this.#note(news.text);
    else if (news.kind === "point") scan.points = [...scan.points, news.point];
    else if (news.kind === "ended") this.#end(news.state, null);
    else if (news.kind === "failed") this.#end("failed", news.error.message);
    else if (news.kind === "total") scan.total = news.total;
    else if (news.kind === "answers") scan.answers = news.answers;
    else if (news.kind === "state" && this.isOn) {
      const { kind: _, ...state } = news;
      Object.assign(scan, state);
    }
  }

  #note(text: string): void {
    this.scan.notes = [...this.scan.notes, text].slice(-NOTES);
  }

  #end(state: PageScan["state"], error: string | null): void {
    const { scan } = this;
    scan.state = state;
    scan.line = state;
    scan.isHeld = false;
    scan.secondsLeft = null;
    scan.error = error;
    scan.ended = Date.now() / 1000;
  }
}

/** The plans that may be run: modules of one folder, that the server was given. */
class PlanFolder {
  readonly #folder: string | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder === undefined ? undefined : resolve(folder);
  }

  /** @throws FILE_NOT_FOUND when the folder cannot be read */
  async list(): Promise<{ folder: string | null; files: string[] }> {
    if (this.#folder === undefined) return { folder: null, files: [] };
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      const files = entries.filter((entry) => !entry.isDirectory() && isPlanFile(entry.name));
      return {
        folder: this.#folder,
        files: files
          .map(({ name }) => name)
          .sort()
          .slice(0, MOST_FILES),
      };
    } catch (error) {
      throw toSaclaError(error, "FILE_NOT_FOUND", `The folder of plans ${show(this.#folder)} cannot be read`);
    }
  }

  /** The path of a plan: its name is looked for in the list, so that no path leads out of the folder. */
  async path(file: string): Promise<string> {
    const { folder, files } = await this.list();
    if (folder !== null && files.includes(file)) return resolve(folder, file);
    const known = folder === null ? "it was given none: --plans FOLDER" : `it has ${showList(files, 20)}`;
    throw new SaclaError("FILE_NOT_FOUND", `The server's folder of plans has no ${show(file)}; ${known}.`);
  }

  /** The settings with the path of a file in place of its name. */
  async found(settings: PageScanSettings): Promise<PageScanSettings> {
    return "file" in settings ? { file: await this.path(settings.file) } : settings;
  }
}

/** What a plan would do, found in a process of its own: the plan is a program of a user's. */
async function dryRunIn(task: Extract<ScanOrder, { kind: "look" }>["task"]): Promise<Omit<PageDryRun, "command">> {
  const child = startProcess(besideModule(import.meta.url, "scan-process"));
  child.stderr?.resume();
  const timer = setTimeout(() => child.kill("SIGKILL"), LOOK_MS);
  try {
    return await new Promise((found, failed) => {
      child.on("message", (news: ScanNews) => {
        if (news.kind === "looked") found(news.found);
        else if (news.kind === "failed") failed(fromWireError(news.error));
      });
      child.once("error", failed);
      child.once("exit", () => {
        const why = `The dry run ended without an answer, or took longer than ${LOOK_MS / 1000} s`;
        failed(new SaclaError("BAD_ARGUMENT", `${why}; try it in a terminal: sacla plan dry-run FILE.`));
      });
      child.send({ kind: "look", task } satisfies ScanOrder, undefined, undefined, () => {});
    });
  } finally {
    clearTimeout(timer);
    child.kill();
  }
}

/**
 * An Endpoint that also runs scans for the page, each in a process of its own that reaches the beamline at `url`.
 * `control` answers the rest.
 */
export function withScans(control: Endpoint, url: string, { experiment, plans: folder }: PageFiles): Endpoint {
  const scans = new Map<number, RunningScan>();
  const plans = new PlanFolder(folder);
  let isLooking = false;
  const answering = withHandlers<keyof typeof scanMethods>(control, {
    "page.scan": async ({ bl }) => ({
      scan: scans.get(bl)?.scan ?? null,
      now: Date.now() / 1000,
    }),
    "page.plans": async () => await plans.list(),
    "page.dryRun": async ({ bl, file }) => {
      const path = await plans.path(file);
      if (isLooking) throw new SaclaError("DEVICE_BUSY", "Another dry run is on; ask again when it is done.");
      isLooking = true;
      try {
        const found = await dryRunIn({ url, bl, settings: { file: path }, experiment });
        const named = experiment === undefined ? "" : ` --experiment ${shellWord(experiment)}`;
        return { ...found, command: `sacla plan run ${shellWord(path)} --bl ${bl}${named}` };
      } finally {
        isLooking = false;
      }
    },
    "page.startScan": async (start) => {
      const given = await plans.found(start.settings);
      const before = scans.get(start.bl);
      if (before?.isOn === true)
        throw new SaclaError("DEVICE_BUSY", `A scan of ${before.scan.by} is on; stop it, or wait until it is done.`);
      const made = new RunningScan(start, given, url, experiment);
      scans.set(start.bl, made);
      return { id: made.scan.id };
    },
    "page.doScan": async ({ bl, what }) => {
      const found = scans.get(bl);
      if (found?.isOn !== true) throw new SaclaError("DEVICE_BUSY", "No scan is on, so nothing can be done to it.");
      found.order({ kind: what });
      return {};
    },
  });
  return {
    ...answering,
    close: async () => {
      // Leases end, and what moves is stopped, before anything is waited for.
      await control.close();
      await Promise.all([...scans.values()].map((scan) => scan.close()));
    },
  };
}
