import { isSaclaError, SaclaError, show, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { oneLine } from "../core/printable.ts";
import { counted } from "../core/show.ts";
import { durationText } from "../core/time-text.ts";
import { signalId } from "../ec/experiment.ts";
import type { Control, Experiment } from "../ec/index.ts";
import { fittedTable, textTable } from "../plot/text.ts";
import { problemsOf } from "../scan/dry-run/dry-run.ts";
import {
  controlBeamline,
  type DryRun,
  Engine,
  type EngineOptions,
  type EstimateRange,
  estimate,
  Journal,
  onCtrlC,
  type Plan,
  type ScanCallback,
  type ScanEnd,
  ScanTable,
  type ShotsTaken,
  TargetMap,
} from "../scan/index.ts";
import { simulatedMark } from "./caption.ts";
import { type CommandResult, EXIT_INTERRUPTED, type Session } from "./command.ts";
import { change, view } from "./control.ts";
import { checkFolder, type Io } from "./io.ts";
import { LateDocuments } from "./late-documents.ts";
import { couldBeOwn } from "./missing-names.ts";
import { answerLines, clippedSignals, withoutNumber } from "./scan-answers.ts";
import { beamLines, beamOptions } from "./scan-beam.ts";
import { newJournal } from "./scan-journal.ts";
import type { ScanningOptions } from "./scan-options.ts";
import { ScanPlot, ScanUnits } from "./scan-plot.ts";
import { TimeToGo } from "./time-to-go.ts";

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
    return await estimate(plan, await view(session), { maps, rateHz: options.rate });
  } catch (error) {
    throw ofPlan(plan, error);
  } finally {
    closeAll(maps);
  }
}

/** What counts as beam, and a warning of a closed shutter: lines for people, from the beam as it is now. */
export async function beamNow(session: Session, options: ScanningOptions, plan: Plan): Promise<readonly string[]> {
  const maps = openMaps(options);
  try {
    return await beamLines(session, options, plan, maps);
  } finally {
    closeAll(maps);
  }
}

/** What a dry run found, for people. */
export function estimateText(run: DryRun, problems: readonly string[]): string {
  const range = ({ from, to }: EstimateRange, text: (value: number) => string): string =>
    text(from) === text(to) ? text(from) : `${text(from)} to ${text(to)}`;
  const whole = (value: number): string => String(Math.round(value));
  // What a plan does after a fit is not known: nothing is measured here.
  const isOpen = run.problem !== null && !problems.includes(run.problem);
  const rows = [
    ["duration", `${isOpen ? "at least " : ""}${range(run.seconds, durationText)}`],
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

/** What is told of a plan before it runs. */
export type Ahead = (run: DryRun) => { readonly json: Readonly<Record<string, unknown>>; readonly text: string };

/**
 * Shows what a plan would do, asks, runs it.
 * @param resumes - a journal to go on with
 */
export async function runPlan(
  session: Session,
  options: ScanningOptions,
  plan: Plan,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
  ahead?: Ahead,
): Promise<CommandResult & { readonly table?: ScanTable; readonly units?: Readonly<Record<string, string>> }> {
  // A shutter that is not there is told with the experiment file that is missing, not as a problem of the dry run.
  const shutters = session.experiment === undefined ? [plan.settings["shutter"]].flat() : [];
  for (const name of shutters) if (typeof name === "string" && couldBeOwn(name)) (await view(session)).shutter(name);
  // Of a scan that goes on, nobody knows here how much is done; its limits were checked when it began.
  const run = resumes === undefined ? await estimatePlan(session, options, plan) : null;
  const problems = run === null ? [] : problemsOf(plan, run);
  const told = run === null ? undefined : ahead?.(run);
  const isPossible = problems.length === 0;
  const beam = run === null || !isPossible ? [] : await beamNow(session, options, plan);
  const what = run === null ? whereItGoesOn(resumes ?? "", plan) : estimateText(run, problems);
  const shown = [...(told === undefined ? [] : [told.text]), what, ...beam].join("\n");
  if (!isPossible || options.dryRun === true)
    return {
      json: { ...told?.json, estimate: run, beam, done: false },
      text: `${shown}\nnothing was done`,
      exitCode: isPossible ? 0 : 1,
    };
  const table = new ScanTable(options.pumpedBy === undefined ? {} : { pumpedBy: options.pumpedBy });
  const documents = new LateDocuments();
  let isWritten = true;
  for (const path of [options.csv, options.html, options.plot, options.documents])
    if (path !== undefined) checkFolder(path, " Nothing was moved.");
  const { io } = session;
  let end: ScanEnd | undefined;
  let journal: Journal | undefined;
  let known: Readonly<Record<string, string>> = {};
  const work = async (control: Control, experiment: Experiment | undefined): Promise<void> => {
    const units = new ScanUnits(session, control, (name) => signalId(experiment, name));
    known = units.units;
    const title = await titleOf(session, plan, control.bl);
    const draw = drawerOf(session, options, table, units, title);
    const plot = new ScanPlot(draw, (text) => io.err(`${text}\n`));
    journal = resumes !== undefined ? Journal.open(resumes) : newJournal(io, options, plan, control.bl, context);
    const maps = mapsOrClose(options, journal);
    try {
      // Once before anything moves, so that a place that cannot be written to is refused now; a scan whose journal is
      // there already is refused before that, and leaves the picture of the other one alone.
      draw();
      const callbacks = [table, documents, progressOf(session, table, run), units, plot];
      end = await runOn(session, options, { control, experiment }, plan, {
        callbacks,
        maps,
        journal,
      });
      await units.settled();
    } finally {
      closeAll(maps);
      journal?.close();
      isWritten = writeResults(session, options, title, table, units, documents, () => plot.end());
    }
  };
  try {
    const { done } = await change(session, options, plan.name, shown, work);
    if (!done || end === undefined)
      return { json: { estimate: run, beam, done: false }, text: "nothing was done", exitCode: 1 };
  } catch (error) {
    throw withPoints(session, options, toSaclaError(error), { end, table, run, journal, units: known });
  }
  const answer = answerOf(io, end, table, run, journal?.path, isWritten, known, options);
  return { ...answer, table, units: known };
}

/** However a scan ends, its points are told: on the terminal as a table, for a program in the details of the error. */
function withPoints(
  { io }: Session,
  options: ScanningOptions,
  error: SaclaError,
  so: {
    readonly end: ScanEnd | undefined;
    readonly table: ScanTable;
    readonly run: DryRun | null;
    readonly journal: Journal | undefined;
    readonly units: Readonly<Record<string, string>>;
  },
): SaclaError {
  const { end, table, run, journal, units } = so;
  if (journal === undefined && table.rows.length === 0) return error;
  const points = table.rows.length;
  if (options.json === true)
    return new SaclaError(error.code, error.message, {
      details: { ...error.details, points, columns: table.columns(), journal: journal?.path ?? null },
      cause: error,
    });
  if (end !== undefined) io.out(`${answerOf(io, end, table, run, journal?.path, true, units, options).text}\n`);
  else if (points > 0)
    io.out(
      `${[
        table.text(units),
        `failed: ${counted(points, "point")} ${points === 1 ? "is" : "are"} done`,
        ...withoutNumberLines(table),
      ].join("\n")}\n`,
    );
  if (journal !== undefined && end?.outcome !== "done") io.err(`go on later with: sacla resume ${journal.path}\n`);
  return error;
}

function mapsOrClose(options: ScanningOptions, journal: Journal | undefined): Readonly<Record<string, TargetMap>> {
  try {
    return openMaps(options);
  } catch (error) {
    journal?.close();
    throw error;
  }
}

/** What is said of a scan that has ended. */
function answerOf(
  io: Io,
  end: ScanEnd,
  table: ScanTable,
  estimated: DryRun | null,
  journalPath: string | undefined,
  isWritten: boolean,
  units: Readonly<Record<string, string>>,
  { normalise }: ScanningOptions,
): CommandResult {
  const answers = table.answers({ normaliseBy: normalise });
  const dropped = Object.entries(end.shots.dropped).map(([reason, n]) => `, ${n} ${reason}`);
  const summary =
    `${end.outcome}: ${counted(end.points, "point")}, ` +
    `${end.shots.used} of ${end.shots.asked} shots used${dropped.join("")}`;
  const clipped = clippedSignals(takenIn(table));
  const again = end.outcome === "done" || journalPath === undefined ? "" : `\ngo on with: sacla resume ${journalPath}`;
  return {
    json: {
      estimate: estimated,
      done: end.outcome === "done",
      outcome: end.outcome,
      points: end.points,
      shots: end.shots,
      clipped: Object.fromEntries(clipped.map(({ signal, count }) => [signal, count])),
      result: end.result ?? null,
      answers,
      units,
      columns: table.columns(),
    },
    text: [
      ...tableOn(io, table.text(units)),
      summary + again,
      ...answerLines(answers, units),
      ...withoutNumberLines(table),
      ...clipped.map(({ words }) => `${words}. Look at the amplifier.`),
    ].join("\n"),
    // It ends otherwise only when somebody stops it.
    exitCode: end.outcome !== "done" ? EXIT_INTERRUPTED : isWritten ? 0 : 1,
  };
}

function takenIn(table: ScanTable): ShotsTaken[] {
  return table.rows.flatMap(({ taken }) => (taken === null ? [] : [taken]));
}

/** Why signals have no number at all: it is why there is no peak. */
function withoutNumberLines(table: ScanTable): string[] {
  const without = withoutNumber(takenIn(table));
  return without.map((line) => `${line}. Look at shutters, attenuator and amplifier, and whether all is in the beam.`);
}

/** The table as wide as the terminal; a file has all of it. */
function tableOn({ outColumns = 0 }: Io, table: string): string[] {
  // A terminal that does not know its width says 0.
  const { text, leftOut } = fittedTable(table, outColumns || Infinity);
  return leftOut === 0 ? [text] : [text, `${counted(leftOut, "more column")}: --csv FILE, --html FILE, or --json`];
}

/** @throws BAD_ARGUMENT when the scan of a journal is done @throws PLAN_CHANGED */
function whereItGoesOn(path: string, plan: Plan): string {
  const journal = Journal.open(path);
  journal.close();
  journal.checkPlan(plan);
  if (journal.ended === "done")
    throw new SaclaError("BAD_ARGUMENT", `The scan of ${show(path)} is done; there is nothing to resume.`);
  return (
    `${plan.name} goes on where ${path} ends: ${counted(journal.points, "point")} ` +
    `done (${journal.ended ?? "its program died"})`
  );
}

/** What a scan's plot and page are called. */
async function titleOf(session: Session, plan: Plan, bl: number): Promise<string> {
  return `${plan.name}, beamline ${bl}, ${session.time(new Date())}${await simulatedMark(session)}`;
}

/** What draws the curve, @throws WRITE_FAILED */
function drawerOf(
  session: Session,
  options: ScanningOptions,
  table: ScanTable,
  { units }: ScanUnits,
  title: string,
): () => void {
  return () => {
    if (options.plot === undefined) return;
    const lines = answerLines(table.answers({ normaliseBy: options.normalise }), units);
    session.io.writeFile(options.plot, table.png({ title, lines, units }));
  };
}

async function runOn(
  session: Session,
  options: ScanningOptions,
  { control, experiment }: { readonly control: Control; readonly experiment: Experiment | undefined },
  plan: Plan,
  rest: EngineOptions,
): Promise<ScanEnd> {
  const rule = await beamOptions(session, options, control.bl);
  if (rule.beam === "off") session.io.err("beam: every shot counts, also those without beam\n");
  const beamline = controlBeamline(session.facility, control, {
    ...rule,
    experiment,
    rateHz: options.rate,
    pollMs: session.pollMs,
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
  const total = run?.points.to ?? null;
  const of = total === null ? "" : ` of ${total}`;
  const toGo = new TimeToGo(total, 0);
  // The first look starts its clock.
  toGo.look(performance.now() / 1000, 0, false);
  return {
    point: ({ index, data, taken, isPast }) => {
      if (isPast) return;
      const at = Object.entries(data).map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`);
      const left = toGo.look(performance.now() / 1000, index + 1, false) ?? 0;
      io.err(
        `point ${index + 1}${of}: ${at.join(", ")}` +
          `${taken === null ? "" : `, ${taken.ledger.used} of ${taken.ledger.asked} shots`}` +
          `${left === 0 ? "" : `, ${durationText(left)} left`}\n`,
      );
      for (const line of withoutNumber(taken === null ? [] : [taken])) io.err(`  ${line}\n`);
      const signal = Object.keys(taken?.values ?? {})[0];
      if (io.isTerminal && signal !== undefined) io.err(`${signal}\n${table.curve(signal)}\n`);
    },
    note: (text) => io.err(`${oneLine(text)}\n`),
  };
}

/** Writes all result files that can be written and reports the others; true when all were written. */
function writeResults(
  { io, zone }: Session,
  { csv, html, documents: path, normalise }: ScanningOptions,
  title: string,
  table: ScanTable,
  { units }: ScanUnits,
  documents: LateDocuments,
  drawLast: () => void,
): boolean {
  let isWritten = true;
  const answers = (): string[] => answerLines(table.answers({ normaliseBy: normalise }), units);
  const written = [
    () => csv !== undefined && io.writeFile(csv, table.csv(units)),
    () => html !== undefined && io.writeFile(html, table.html(title, undefined, units, answers(), zone)),
    () => path !== undefined && io.writeFile(path, documents.lines(units)),
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
