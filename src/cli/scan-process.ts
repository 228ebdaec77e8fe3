import { connect } from "../connect.ts";
import { SaclaError } from "../core/errors.ts";
import { defined } from "../core/options.ts";
import { oneLine } from "../core/printable.ts";
import { signalId } from "../ec/experiment.ts";
import { Experiment } from "../ec/index.ts";
import { answerCurve } from "../scan/callbacks/scan-answer.ts";
import { problemsOf } from "../scan/dry-run/dry-run.ts";
import {
  controlBeamline,
  type DryRun,
  Engine,
  estimate,
  type Plan,
  pathPicture,
  type Row,
  ScanTable,
  scan,
  summary,
} from "../scan/index.ts";
import { toWireError, type WireError } from "../transport/codec.ts";
import type { PageDryRun, PageScan, PageScanSettings } from "../transport/scan-methods.ts";
import { loadPlan } from "./load-plan.ts";
import { newJournal } from "./scan-journal.ts";
import { ScanUnits } from "./scan-plot.ts";
import type { TableContext } from "./table-plan.ts";
import { TimeToGo } from "./time-to-go.ts";
import { collectAtOnce } from "./v8-flags.ts";

/** What is to be scanned: a file of a plan is named by its path. */
interface Task {
  /** Where the beamline is controlled and its shots are read. */
  readonly url: string;
  readonly bl: number;
  readonly settings: PageScanSettings;
  readonly experiment?: string | undefined;
}

interface ScanTask extends Task {
  readonly name: string;
  readonly reason: string;
}

/** What it tells. */
export type ScanNews =
  | { readonly kind: "journal"; readonly path: string }
  | ({ readonly kind: "state" } & Pick<PageScan, "state" | "line" | "isHeld" | "secondsLeft" | "units">)
  | { readonly kind: "total"; readonly total: number | null }
  | { readonly kind: "point"; readonly point: PageScan["points"][number] }
  | { readonly kind: "answers"; readonly answers: PageScan["answers"] }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "looked"; readonly found: Omit<PageDryRun, "command"> }
  | { readonly kind: "ended"; readonly state: "done" | "stopped" | "aborted" }
  | { readonly kind: "failed"; readonly error: WireError };

/** What it is told. */
export type ScanOrder =
  | { readonly kind: "scan"; readonly task: ScanTask }
  | { readonly kind: "look"; readonly task: Task }
  | { readonly kind: "pause" | "resume" | "stop" | "abort" };

/** How often the state is told. */
const STATE_MS = 200;
/** Fits are made again so often at most. */
const ANSWERS_MS = 1000;
/** Fewer points say nothing of a peak; with more than the most each fit would take seconds. */
const [LEAST_POINTS, MOST_POINTS] = [5, 2000];

function tell(news: ScanNews): void {
  process.send?.(news, undefined, undefined, () => {});
}

/** The plan, and how `sacla resume` makes it again. */
async function planOf(
  settings: PageScanSettings,
  table: TableContext,
): Promise<{ plan: Plan; context: Record<string, unknown> }> {
  if ("file" in settings)
    return { plan: await loadPlan(settings.file, table), context: { command: "plan", file: settings.file } };
  const { shots: count, signals, beam: _, shutter, ...rest } = settings;
  const given = { ...rest, shots: { count, signals }, ...defined({ shutter: shutter ?? undefined }) };
  return { plan: scan(given), context: { command: "scan", settings: given } };
}

async function experimentOf({ experiment }: Task): Promise<Experiment | undefined> {
  return experiment === undefined ? undefined : await Experiment.load(experiment);
}

async function look(task: Task): Promise<void> {
  const { bl } = task;
  const experiment = await experimentOf(task);
  const { plan } = await planOf(task.settings, { bl, experiment });
  await using facility = await connect(task.url);
  const run = await estimate(plan, await facility.ec.view(bl, { experiment }));
  const { plan: name, seconds, points, shots, shutterCycles, dosePerSpot, path } = run;
  tell({
    kind: "looked",
    found: {
      ...{ plan: name, seconds, points, shots, shutterCycles, dosePerSpot },
      problems: [...problemsOf(plan, run)],
      path: path.length === 0 ? null : pathPicture(run),
    },
  });
}

async function run(task: ScanTask, orders: (obey: (kind: ScanOrder["kind"]) => void) => void): Promise<void> {
  const { bl, name, reason, settings } = task;
  const experiment = await experimentOf(task);
  const { plan, context } = await planOf(settings, { bl, experiment });
  const beam = "file" in settings ? "auto" : settings.beam;
  const io = { env: process.env, err: (text: string) => tell({ kind: "note", text: oneLine(text) }) };
  await using facility = await connect(task.url, { retry: { onWait: io.err } });
  const expected = await estimate(plan, await facility.ec.view(bl, { experiment }));
  const problems = problemsOf(plan, expected);
  if (problems.length > 0) throw new SaclaError("BAD_ARGUMENT", `Nothing was moved: ${problems.join(" ")}`);
  const total = totalOf(plan, expected);
  tell({ kind: "total", total });
  await using control = await facility.ec.control(bl, { name, reason, experiment });
  const options = { bl, beam: beam === "off" ? beam : undefined, experiment: task.experiment };
  const journal = newJournal(io, {}, plan, bl, { ...context, options });
  if (journal !== undefined) tell({ kind: "journal", path: journal.path });
  try {
    const monitor = `xfel_bl_${bl}_tc_bm_1_pd/charge`;
    const beamline = controlBeamline(facility, control, { monitor, beam, experiment });
    const table = new ScanTable();
    const units = new ScanUnits({ facility }, control, (signal) => signalId(experiment, signal));
    let nextAnswers = 0;
    const told = {
      point: (row: Row) => {
        tell({ kind: "point", point: pointOf(row) });
        const now = performance.now();
        if (now < nextAnswers) return;
        tellAnswers(table);
        // Fits of many points take a while, for which the scan would wait.
        nextAnswers = performance.now() + Math.max(ANSWERS_MS, 20 * (performance.now() - now));
      },
      note: (text: string) => tell({ kind: "note", text: oneLine(text) }),
    };
    const engine = new Engine(beamline, { callbacks: [table, units, told], ...defined({ journal }) });
    orders((kind) => {
      if (kind === "pause") engine.pause();
      else if (kind === "resume") engine.resume();
      else if (kind === "stop") engine.stop();
      else if (kind === "abort") engine.abort();
    });
    const toGo = new TimeToGo(total, (expected.seconds.from + expected.seconds.to) / 2);
    const timer = setInterval(() => {
      const { state, line, isHeld } = engine;
      if (state === "idle") return;
      const secondsLeft = toGo.look(performance.now() / 1000, table.rows.length, isHeld || state === "paused");
      const shown = state === "aborting" ? "stopping" : state;
      tell({ kind: "state", state: shown, line, isHeld, secondsLeft, units: units.units });
    }, STATE_MS);
    try {
      const { outcome } = await engine.run(plan);
      await units.settled();
      tell({ kind: "state", state: "stopping", line: "", isHeld: false, secondsLeft: null, units: units.units });
      tellAnswers(table);
      tell({ kind: "ended", state: outcome });
    } finally {
      clearInterval(timer);
    }
  } finally {
    journal?.close();
  }
}

/** Points of a plan; null where this follows from what is measured. */
function totalOf({ adaptive }: Plan, { points }: DryRun): number | null {
  return adaptive || points.from !== points.to ? null : points.to;
}

function tellAnswers(table: ScanTable): void {
  const { length } = table.rows;
  if (length < LEAST_POINTS || length > MOST_POINTS) return;
  const answers = table.answers().map((answer) => {
    const { signal, axis, kind, centre, centreError, fwhm, fwhmError, why } = answer;
    const places = table.rows.flatMap(({ data }) => data[axis] ?? []);
    return {
      ...{ signal, axis, kind, why },
      centre: finiteOrNull(centre),
      centreError: finiteOrNull(centreError),
      fwhm: finiteOrNull(fwhm),
      fwhmError: finiteOrNull(fwhmError),
      curve: answerCurve(answer, Math.min(...places), Math.max(...places)) ?? null,
    };
  });
  tell({ kind: "answers", answers });
}

function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

function pointOf({ index, data, taken }: Row): PageScan["points"][number] {
  const values = Object.fromEntries(
    Object.keys(taken?.values ?? {}).map((signal) => {
      if (taken === null) return [signal, null];
      const { mean, standardError, count } = summary(taken, signal);
      return [signal, Number.isFinite(mean) ? { mean, error: finiteOrNull(standardError), count } : null];
    }),
  );
  const at = Object.fromEntries(Object.entries(data).filter(([, value]) => Number.isFinite(value)));
  const { asked = 0, used = 0 } = taken?.ledger ?? {};
  return { index, at, asked, used, values };
}

if (process.send !== undefined) {
  collectAtOnce();
  let obey: (kind: ScanOrder["kind"]) => void = () => {};
  // The other process has gone: its lease ends, and what moves is stopped there.
  process.on("disconnect", () => process.exit(0));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => obey("abort"));
  process.on("message", (order: ScanOrder) => {
    if (order.kind !== "scan" && order.kind !== "look") {
      obey(order.kind);
      return;
    }
    const done =
      order.kind === "look"
        ? look(order.task)
        : run(order.task, (given) => {
            obey = given;
          });
    done
      .catch((error: unknown) => tell({ kind: "failed", error: toWireError(error) }))
      .finally(() => process.disconnect());
  });
}
