import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { isSaclaError, SaclaError, show, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { oneLine } from "../core/printable.ts";
import { signalId } from "../ec/experiment.ts";
import type { Control, Experiment } from "../ec/index.ts";
import { textTable } from "../plot/index.ts";
import {
  controlBeamline,
  DocumentStream,
  type DryRun,
  Engine,
  type EngineOptions,
  type EstimateRange,
  estimate,
  Journal,
  onCtrlC,
  type Plan,
  type ScanCallback,
  type ScanDocument,
  type ScanEnd,
  ScanTable,
  type ShotsTaken,
  TargetMap,
} from "../scan/index.ts";
import { type CommandResult, EXIT_INTERRUPTED, parseNumber, type Session } from "./command.ts";
import { type ChangeOptions, change, view, withChange } from "./control.ts";
import { checkFolder } from "./io.ts";
import { ScanPlot, ScanUnits } from "./scan-plot.ts";

export interface ScanningOptions extends ChangeOptions {
  readonly rate: number;
  readonly monitor?: string | undefined;
  readonly journal?: string | undefined;
  readonly csv?: string | undefined;
  readonly html?: string | undefined;
  readonly plot?: string | undefined;
  readonly pumpedBy?: string | undefined;
  readonly documents?: string | undefined;
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
    .option(
      "--pumped-by <id>",
      "a signal that the plan keeps, 1 with pump and 0 without: table and curves show both and their difference",
    )
    .option(
      "--map <name=file>",
      "target map that the plan uses; can be repeated",
      (text: string, all: string[]) => [...all, text],
      [],
    )
    .option("--documents <file>", "Bluesky event-model documents, JSON lines");
}

/**
 * A plan out of a user's module: its default export, a plan or a function that makes one.
 * @throws FILE_NOT_FOUND, BAD_ARGUMENT
 */
export async function loadPlan(path: string): Promise<Plan> {
  if (!existsSync(path))
    throw new SaclaError("FILE_NOT_FOUND", `The plan ${show(path)} is not there.`, { details: { path } });
  let made: unknown;
  try {
    const module: unknown = await import(pathToFileURL(resolve(path)).href);
    const given = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
    made = typeof given === "function" ? await given() : given;
  } catch (cause) {
    throw new SaclaError("BAD_ARGUMENT", `The plan ${show(path)} cannot be loaded: ${whyNotLoaded(path, cause)}`, {
      cause,
    });
  }
  if (isPlan(made)) return made;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `${show(path)} must export a plan, or a function that makes one, as its default: export default () => scan({ … }).`,
  );
}

/** What is wrong with a module of a user's, and where; ends with a full stop. */
function whyNotLoaded(path: string, cause: unknown): string {
  const message = toSaclaError(cause).message.replace(/\.?$/, ".");
  if (message.includes("Cannot find package 'sacla'"))
    return `${message} Install sacla in the folder of the plan (npm install sacla), or move the plan to where it is.`;
  if (path.endsWith(".ts") && message.includes("file extension"))
    return `${message} This Node.js does not read TypeScript; give a .js or .mjs file.`;
  // A stack begins with the place of a syntax error, and has that of another error below its message.
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const at = stack.indexOf(`${basename(path)}:`);
  const place = at < 0 ? undefined : /^[^:]+:\d+(:\d+)?/.exec(stack.slice(at))?.[0];
  return place === undefined || message.includes(place) ? message : `${message.slice(0, -1)} (${place}).`;
}

/** A mistake in the steps of a plan is no fault of this program: it is told with its place. */
function ofPlan(plan: Plan, error: unknown): unknown {
  const thrown = isSaclaError(error, "INTERNAL") ? error.cause : error;
  if (!(thrown instanceof Error) || isSaclaError(thrown)) return error;
  const place = /([^/\\(\s]+:\d+:\d+)\)?$/m.exec(thrown.stack ?? "")?.[1];
  return new SaclaError(
    "BAD_ARGUMENT",
    `The steps of the plan ${plan.name} fail: ${thrown.message}${place === undefined ? "" : ` (${place})`}. ` +
      "Nothing was moved.",
    {
      cause: thrown,
    },
  );
}

function isPlan(value: unknown): value is Plan {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "settings" in value &&
    "steps" in value &&
    typeof value.steps === "function"
  );
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
  } catch (error) {
    throw ofPlan(plan, error);
  } finally {
    closeAll(maps);
  }
}

/** What stands against a plan. What an adaptive one makes of values nobody has measured says nothing. */
export function problemsOf(plan: Plan, run: DryRun): readonly string[] {
  return [...new Set([...run.violations, ...(run.problem === null || plan.adaptive ? [] : [run.problem])])];
}

/** What a dry run found, for people. */
export function estimateText(run: DryRun, problems: readonly string[]): string {
  const range = ({ from, to }: EstimateRange, text: (value: number) => string): string =>
    text(from) === text(to) ? text(from) : `${text(from)} to ${text(to)}`;
  const whole = (value: number): string => String(Math.round(value));
  const rows = [
    ["duration", range(run.seconds, duration)],
    ["points", range(run.points, whole)],
    ["shots", range(run.shots, whole)],
    ["shutter openings", range(run.shutterCycles, whole)],
    ["most shots on one place", range(run.dosePerSpot, whole)],
  ];
  return [
    textTable(["", ""], [["plan", run.plan], ...rows]),
    ...problems.map((why) => `problem: ${oneLine(why)}`),
  ].join("\n");
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
): Promise<CommandResult> {
  // Of a scan that goes on, nobody knows here how much is done; its limits were checked when it began.
  const run = resumes === undefined ? await estimatePlan(session, options, plan) : null;
  const problems = run === null ? [] : problemsOf(plan, run);
  const shown = run === null ? whereItGoesOn(resumes ?? "", plan) : estimateText(run, problems);
  const isPossible = problems.length === 0;
  if (!isPossible || options.dryRun === true)
    return { json: { estimate: run, done: false }, text: `${shown}\nnothing was done`, exitCode: isPossible ? 0 : 1 };
  const table = new ScanTable(options.pumpedBy === undefined ? {} : { pumpedBy: options.pumpedBy });
  const documents: ScanDocument[] = [];
  let isWritten = true;
  for (const path of [options.csv, options.html, options.plot, options.documents])
    if (path !== undefined) checkFolder(path, " Nothing was moved.");
  const outcome = await change(session, options, plan.name, shown, async (control, experiment) => {
    const units = new ScanUnits(session, control, (name) => signalId(experiment, name));
    const draw = drawerOf(session, options, plan, table, units, control.bl);
    const plot = new ScanPlot(draw, (text) => session.io.err(`${text}\n`));
    const maps = openMaps(options);
    const journal =
      resumes !== undefined
        ? Journal.open(resumes)
        : options.journal === undefined
          ? undefined
          : Journal.create(options.journal, plan, context);
    try {
      // Once before anything moves, so that a place that cannot be written to is refused now; a scan whose journal is
      // there already is refused before that, and leaves the picture of the other one alone.
      draw();
      const lookers = options.plot === undefined && options.html === undefined ? [] : [units, plot];
      const callbacks = [
        table,
        new DocumentStream((document) => documents.push(document)),
        progressOf(session, table, run),
        ...lookers,
      ];
      const end = await runOn(session, options, { control, experiment }, plan, {
        callbacks,
        maps,
        ...(journal === undefined ? {} : { journal }),
      });
      await units.settled();
      return end;
    } catch (error) {
      if (journal !== undefined && table.rows.length > 0)
        session.io.err(`${table.rows.length} points are done; go on later with: sacla resume ${journal.path}\n`);
      throw error;
    } finally {
      closeAll(maps);
      journal?.close();
      isWritten = writeResults(session, options, plan, table, units, documents, () => plot.end());
    }
  });
  if (!outcome.done) return { json: { estimate: run, done: false }, text: "nothing was done", exitCode: 1 };
  return answerOf(outcome.value, table, run, resumes ?? options.journal, isWritten);
}

/** What is said of a scan that has ended. */
function answerOf(
  end: ScanEnd,
  table: ScanTable,
  estimated: DryRun | null,
  journalPath: string | undefined,
  isWritten: boolean,
): CommandResult {
  const dropped = Object.entries(end.shots.dropped).map(([reason, n]) => `, ${n} ${reason}`);
  const summary =
    `${end.outcome}: ${end.points} points, ${end.shots.used} of ${end.shots.asked} shots ` + `used${dropped.join("")}`;
  const without = withoutNumber(table.rows.flatMap(({ taken }) => (taken === null ? [] : [taken])));
  const again = end.outcome === "done" || journalPath === undefined ? "" : `\ngo on with: sacla resume ${journalPath}`;
  return {
    json: {
      estimate: estimated,
      done: end.outcome === "done",
      outcome: end.outcome,
      points: end.points,
      shots: end.shots,
      result: end.result ?? null,
      columns: table.columns(),
    },
    text: [
      table.text(),
      summary + again,
      ...without.map((line) => `${line}. Look at shutters, attenuator and amplifier.`),
    ].join("\n"),
    // It ends otherwise only when somebody stops it.
    exitCode: end.outcome !== "done" ? EXIT_INTERRUPTED : isWritten ? 0 : 1,
  };
}

/** @throws BAD_ARGUMENT when the scan of a journal is done @throws PLAN_CHANGED */
function whereItGoesOn(path: string, plan: Plan): string {
  const journal = Journal.open(path);
  journal.close();
  journal.checkPlan(plan);
  if (journal.ended === "done")
    throw new SaclaError("BAD_ARGUMENT", `The scan of ${show(path)} is done; there is nothing to resume.`);
  return (
    `${plan.name} goes on where ${path} ends: ${journal.points} points are ` +
    `done (${journal.ended ?? "its program died"})`
  );
}

/** What draws the curve, @throws WRITE_FAILED */
function drawerOf(
  { io }: Session,
  options: ScanningOptions,
  plan: Plan,
  table: ScanTable,
  { units }: ScanUnits,
  bl: number,
): () => void {
  const title = `${plan.name}, beamline ${bl}, ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return () => {
    if (options.plot !== undefined) io.writeFile(options.plot, table.png({ title, units }));
  };
}

async function runOn(
  session: Session,
  options: ScanningOptions,
  { control, experiment }: { readonly control: Control; readonly experiment: Experiment | undefined },
  plan: Plan,
  rest: EngineOptions,
): Promise<ScanEnd> {
  const monitor = options.monitor ?? `xfel_bl_${control.bl}_tc_bm_1_pd/charge`;
  const beamline = controlBeamline(session.facility, control, {
    monitor,
    rateHz: options.rate,
    ...(experiment === undefined ? {} : { experiment }),
  });
  const { confirm } = session.io;
  const engine = new Engine(beamline, {
    ...rest,
    ...(confirm === undefined
      ? {}
      : {
          mayRepeat: async ({ line }) =>
            await confirm(`${line}: what must not be repeated may have been done already. Repeat it?`),
        }),
  });
  using _ = onCtrlC(engine, (line) => session.io.err(line));
  return await engine.run(plan);
}

/** One line per point; on a terminal the curve of the first signal, too. */
function progressOf({ io }: Session, table: ScanTable, run: DryRun | null): ScanCallback {
  const of = run === null ? "" : ` of ${run.points.to}`;
  return {
    point: ({ index, data, taken, isPast }) => {
      if (isPast) return;
      const at = Object.entries(data).map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`);
      io.err(
        `point ${index + 1}${of}: ${at.join(", ")}` +
          `${taken === null ? "" : `, ${taken.ledger.used} of ${taken.ledger.asked} shots`}\n`,
      );
      for (const line of withoutNumber(taken === null ? [] : [taken])) io.err(`  ${line}\n`);
      const signal = Object.keys(taken?.values ?? {})[0];
      if (io.isTerminal && signal !== undefined) io.err(`${signal}\n${table.curve(signal)}\n`);
    },
    note: (text) => io.err(`${oneLine(text)}\n`),
  };
}

/** Lines that say of which signals no shot has a number, and why. */
function withoutNumber(all: readonly ShotsTaken[]): string[] {
  const signals = new Set(all.flatMap(({ missing }) => Object.keys(missing ?? {})));
  return [...signals].flatMap((signal) => {
    const hasNumber = all.some(({ values }) => values[signal]?.some((value) => value !== null) === true);
    if (hasNumber) return [];
    const reasons = new Map<string, number>();
    for (const { missing } of all)
      for (const [reason, count] of Object.entries(missing?.[signal] ?? {}))
        reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    return (
      `${signal} has no number in any ` +
      `shot: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(", ")}`
    );
  });
}

/** Writes all result files that can be written and reports the others; true when all were written. */
function writeResults(
  { io }: Session,
  { csv, html, documents: path }: ScanningOptions,
  plan: Plan,
  table: ScanTable,
  { units }: ScanUnits,
  documents: readonly ScanDocument[],
  drawLast: () => void,
): boolean {
  let isWritten = true;
  const written = [
    () => csv !== undefined && io.writeFile(csv, table.csv()),
    () => html !== undefined && io.writeFile(html, table.html(plan.name, undefined, units)),
    () =>
      path !== undefined && io.writeFile(path, documents.map((document) => `${JSON.stringify(document)}\n`).join("")),
    drawLast,
  ];
  for (const write of written) {
    try {
      write();
    } catch (error) {
      // The scan is done, or failed for a reason of its own, which is the one to tell.
      io.err(`error WRITE_FAILED: ${toSaclaError(error).message}\n`);
      isWritten = false;
    }
  }
  return isWritten;
}
