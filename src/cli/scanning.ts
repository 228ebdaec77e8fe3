import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import type { Control } from "../ec/index.ts";
import { textTable } from "../plot/index.ts";
import {
  controlApparatus,
  DocumentStream,
  type DryRun,
  Engine,
  type EngineOptions,
  estimate,
  Journal,
  type Observer,
  onCtrlC,
  type Plan,
  type Range,
  type ScanDocument,
  type ScanEnd,
  ScanTable,
  TargetMap,
} from "../scan/index.ts";
import { type Answer, parseNumber, type Session } from "./command.ts";
import { type ChangeOptions, change, experimentOf, view, withChange } from "./control.ts";
import { ScanPlot, ScanUnits } from "./scan-plot.ts";

export interface ScanningOptions extends ChangeOptions {
  readonly rate: number;
  readonly monitor?: string;
  readonly journal?: string;
  readonly csv?: string;
  readonly html?: string;
  readonly plot?: string;
  readonly pumpedBy?: string;
  readonly documents?: string;
  readonly map: readonly string[];
}

/** Options of every command that runs a plan. */
export function withScanning(command: Command): Command {
  return withChange(command)
    .option("--rate <hz>", "shots per second", parseNumber, 30)
    .option("--monitor <id>", "a signal that every shot has (default: the charge of the first beam monitor)")
    .option("--journal <file>", "where it is written down, so that it can be resumed")
    .option("--csv <file>", "table of the points")
    .option("--html <file>", "page with curves and table")
    .option("--plot <file>", "PNG of the curves, kept up to date while the scan goes on")
    .option("--pumped-by <id>", "a signal that the plan keeps, 1 with pump and 0 without: table and curves show both and their difference")
    .option("--map <name=file>", "target map that the plan uses; can be repeated", (text: string, all: string[]) => [...all, text], [])
    .option("--documents <file>", "Bluesky event-model documents, JSON lines");
}

/** A plan out of a user's module: its default export, a plan or a function that makes one. @throws FILE_NOT_FOUND, BAD_ARGUMENT */
export async function loadPlan(path: string): Promise<Plan> {
  let module: unknown;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const { message } = toSaclaError(cause);
    const hint = path.endsWith(".ts") ? " This Node.js may not read TypeScript; give a .js or .mjs file." : "";
    throw new SaclaError("BAD_ARGUMENT", `The plan ${show(path)} cannot be loaded: ${message}.${hint}`, { cause });
  }
  const given = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  const made: unknown = typeof given === "function" ? await given() : given;
  if (isPlan(made)) return made;
  throw new SaclaError("BAD_ARGUMENT", `${show(path)} must export a plan, or a function that makes one, as its default: export default () => scan({ … }).`);
}

function isPlan(value: unknown): value is Plan {
  return typeof value === "object" && value !== null && "name" in value && "settings" in value && "steps" in value && typeof value.steps === "function";
}

/** Opens the target maps; `close` them. @throws FILE_NOT_FOUND, FILE_DAMAGED, BAD_ARGUMENT */
function openMaps(options: ScanningOptions): Readonly<Record<string, TargetMap>> {
  const maps: Record<string, TargetMap> = {};
  for (const text of options.map) {
    const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === undefined || path === undefined) throw badArgument("--map", text, "NAME=FILE");
    maps[name] = TargetMap.open(path);
  }
  return maps;
}

function closeAll(maps: Readonly<Record<string, TargetMap>>): void {
  for (const map of Object.values(maps)) map.close();
}

/** What a plan would do on this beamline, from where its axes are now. */
export async function estimatePlan(session: Session, options: ScanningOptions, plan: Plan): Promise<DryRun> {
  const maps = openMaps(options);
  try {
    return await estimate(plan, await view(session, options), { maps, rateHz: options.rate });
  } finally {
    closeAll(maps);
  }
}

/** What stands against a plan. What an adaptive one makes of values nobody has measured says nothing. */
export function problemsOf(plan: Plan, run: DryRun): readonly string[] {
  return [...run.violations, ...(run.problem === null || plan.adaptive ? [] : [run.problem])];
}

/** What a dry run found, for people. */
export function estimateText(run: DryRun, problems: readonly string[]): string {
  const range = ({ from, to }: Range, text: (value: number) => string): string => (text(from) === text(to) ? text(from) : `${text(from)} to ${text(to)}`);
  const whole = (value: number): string => String(Math.round(value));
  const rows = [
    ["duration", range(run.seconds, duration)],
    ["points", range(run.points, whole)],
    ["shots", range(run.shots, whole)],
    ["shutter openings", range(run.shutterCycles, whole)],
    ["most shots on one place", range(run.dosePerSpot, whole)],
  ];
  return [textTable(["", ""], [["plan", run.plan], ...rows]), ...problems.map((why) => `problem: ${why}`)].join("\n");
}

function duration(seconds: number): string {
  const s = Math.round(seconds);
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
}

/** Shows what a plan would do, asks, runs it. @param resumes - a journal to go on with */
export async function runPlan(
  session: Session,
  options: ScanningOptions,
  plan: Plan,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<Answer> {
  // Of a scan that goes on, nobody knows here how much is done; its limits were checked when it began.
  const run = resumes === undefined ? await estimatePlan(session, options, plan) : null;
  const problems = run === null ? [] : problemsOf(plan, run);
  const shown = run === null ? `${plan.name} goes on where ${resumes} ends` : estimateText(run, problems);
  const isPossible = problems.length === 0;
  if (!isPossible || options.dryRun === true) return { json: { estimate: run, done: false }, text: `${shown}\nnothing was done`, exitCode: isPossible ? 0 : 1 };
  const table = new ScanTable(options.pumpedBy === undefined ? {} : { pumpedBy: options.pumpedBy });
  const documents: ScanDocument[] = [];
  const outcome = await change(session, options, plan.name, shown, async (control) => {
    const experiment = await experimentOf(options);
    const units = new ScanUnits(session, control, (name) => (experiment === undefined || name.includes("/") ? name : experiment.signal(name)));
    const plot = plotOf(session, options, plan, table, units, control.bl);
    const maps = openMaps(options);
    const journal = resumes !== undefined ? Journal.open(resumes) : options.journal === undefined ? undefined : Journal.create(options.journal, plan, context);
    try {
      const lookers = options.plot === undefined && options.html === undefined ? [] : [units, plot];
      const observers = [table, new DocumentStream((document) => documents.push(document)), progressOf(session, table, run), ...lookers];
      const end = await runOn(session, options, control, plan, { observers, maps, ...(journal === undefined ? {} : { journal }) });
      await units.settled();
      return end;
    } finally {
      closeAll(maps);
      journal?.close();
      writeResults(session, options, plan, table, units, documents);
      plot.end();
    }
  });
  if (!outcome.done) return { json: { estimate: run, done: false }, text: "nothing was done", exitCode: 1 };
  const { value: end } = outcome;
  const dropped = Object.entries(end.shots.dropped).map(([reason, n]) => `, ${n} ${reason}`);
  const summary = `${end.outcome}: ${end.points} points, ${end.shots.used} of ${end.shots.asked} shots used${dropped.join("")}`;
  const journalPath = resumes ?? options.journal;
  const again = end.outcome === "done" || journalPath === undefined ? "" : `\ngo on with: sacla resume ${journalPath}`;
  return {
    json: {
      estimate: run,
      done: end.outcome === "done",
      outcome: end.outcome,
      points: end.points,
      shots: end.shots,
      result: end.result ?? null,
      columns: table.columns(),
    },
    text: `${table.text()}\n${summary}${again}`,
    exitCode: end.outcome === "done" ? 0 : 1,
  };
}

/** Draws the curve once before anything moves, so that a place that cannot be written to is refused now. @throws WRITE_FAILED */
function plotOf({ io }: Session, options: ScanningOptions, plan: Plan, table: ScanTable, { units }: ScanUnits, bl: number): ScanPlot {
  const title = `${plan.name}, beamline ${bl}, ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const draw = (): void => {
    if (options.plot !== undefined) io.writeFile(options.plot, table.png({ title, units }));
  };
  draw();
  return new ScanPlot(draw, (text) => io.err(`${text}\n`));
}

async function runOn(session: Session, options: ScanningOptions, control: Control, plan: Plan, rest: EngineOptions): Promise<ScanEnd> {
  const experiment = await experimentOf(options);
  const monitor = options.monitor ?? `xfel_bl_${control.bl}_tc_bm_1_pd/charge`;
  const apparatus = controlApparatus(session.facility, control, { monitor, rateHz: options.rate, ...(experiment === undefined ? {} : { experiment }) });
  const { confirm } = session.io;
  const engine = new Engine(apparatus, {
    ...rest,
    ...(confirm === undefined
      ? {}
      : { mayRepeat: async ({ line }) => await confirm(`${line}: what must not be repeated may have been done already. Repeat it?`) }),
  });
  using _ = onCtrlC(engine, (line) => session.io.err(line));
  return await engine.run(plan);
}

/** One line per point; on a terminal the curve of the first signal, too. */
function progressOf({ io }: Session, table: ScanTable, run: DryRun | null): Observer {
  const of = run === null ? "" : ` of ${run.points.to}`;
  return {
    point: ({ index, data, taken, isPast }) => {
      if (isPast) return;
      const at = Object.entries(data).map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`);
      io.err(`point ${index + 1}${of}: ${at.join(", ")}${taken === null ? "" : `, ${taken.ledger.used} of ${taken.ledger.asked} shots`}\n`);
      const signal = Object.keys(taken?.values ?? {})[0];
      if (io.isTerminal && signal !== undefined) io.err(`${signal}\n${table.curve(signal)}\n`);
    },
    note: (text) => io.err(`${text}\n`),
  };
}

function writeResults(
  { io }: Session,
  { csv, html, documents: path }: ScanningOptions,
  plan: Plan,
  table: ScanTable,
  { units }: ScanUnits,
  documents: readonly ScanDocument[],
): void {
  if (csv !== undefined) io.writeFile(csv, table.csv());
  if (html !== undefined) io.writeFile(html, table.html(plan.name, undefined, units));
  if (path !== undefined) io.writeFile(path, documents.map((document) => `${JSON.stringify(document)}\n`).join(""));
}
