import { connect } from "../connect.ts";
import { defined } from "../core/options.ts";
import { oneLine } from "../core/printable.ts";
import { Experiment } from "../ec/index.ts";
import { controlBeamline, Engine, type Row, scan, summary } from "../scan/index.ts";
import { toWireError, type WireError } from "../transport/codec.ts";
import type { PageScan, PageScanSettings } from "../transport/scan-methods.ts";
import { newJournal } from "./scan-journal.ts";

/** What the process of a scan is given. */
interface ScanTask {
  /** Where the beamline is controlled and its shots are read. */
  readonly url: string;
  readonly bl: number;
  readonly name: string;
  readonly reason: string;
  readonly settings: PageScanSettings;
  readonly experiment?: string | undefined;
}

/** What it tells. */
export type ScanNews =
  | { readonly kind: "journal"; readonly path: string }
  | { readonly kind: "state"; readonly state: PageScan["state"]; readonly line: string }
  | { readonly kind: "point"; readonly point: PageScan["points"][number] }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "ended"; readonly state: "done" | "stopped" | "aborted" }
  | { readonly kind: "failed"; readonly error: WireError };

/** What it is told. */
export type ScanOrder =
  | { readonly kind: "scan"; readonly task: ScanTask }
  | { readonly kind: "pause" | "resume" | "stop" | "abort" };

/** How often the state is told. */
const STATE_MS = 200;

function tell(news: ScanNews): void {
  process.send?.(news, undefined, undefined, () => {});
}

async function run(task: ScanTask, orders: (obey: (kind: ScanOrder["kind"]) => void) => void): Promise<void> {
  const { bl, name, reason, settings } = task;
  const experiment = task.experiment === undefined ? undefined : await Experiment.load(task.experiment);
  const { shots: count, signals, beam, shutter, ...rest } = settings;
  const plan = scan({ ...rest, shots: { count, signals }, ...defined({ shutter: shutter ?? undefined }) });
  const io = { env: process.env, err: (text: string) => tell({ kind: "note", text: oneLine(text) }) };
  await using facility = await connect(task.url);
  await using control = await facility.ec.control(bl, { name, reason, experiment });
  const journal = newJournal(io, {}, plan, bl, { command: "scan", settings, options: { bl } });
  if (journal !== undefined) tell({ kind: "journal", path: journal.path });
  try {
    const monitor = `xfel_bl_${bl}_tc_bm_1_pd/charge`;
    const beamline = controlBeamline(facility, control, { monitor, beam, experiment });
    const callbacks = [
      {
        point: (row: Row) => tell({ kind: "point", point: pointOf(row, settings) }),
        note: (text: string) => tell({ kind: "note", text: oneLine(text) }),
      },
    ];
    const engine = new Engine(beamline, { callbacks, ...defined({ journal }) });
    orders((kind) => {
      if (kind === "pause") engine.pause();
      else if (kind === "resume") engine.resume();
      else if (kind === "stop") engine.stop();
      else if (kind === "abort") engine.abort();
    });
    const timer = setInterval(() => {
      const { state, line } = engine;
      if (state !== "idle") tell({ kind: "state", state: state === "aborting" ? "stopping" : state, line });
    }, STATE_MS);
    try {
      const { outcome } = await engine.run(plan);
      tell({ kind: "ended", state: outcome });
    } finally {
      clearInterval(timer);
    }
  } finally {
    journal?.close();
  }
}

function pointOf({ index, data, taken }: Row, { axis, signals }: PageScanSettings): PageScan["points"][number] {
  const values = signals.map((signal) => {
    if (taken === null) return null;
    const { mean, standardError, count } = summary(taken, signal);
    if (!Number.isFinite(mean)) return null;
    return { mean, error: Number.isFinite(standardError) ? standardError : null, count };
  });
  const { asked = 0, used = 0 } = taken?.ledger ?? {};
  return { index, position: data[axis] ?? 0, asked, used, values };
}

if (process.send !== undefined) {
  let obey: (kind: ScanOrder["kind"]) => void = () => {};
  // The other process has gone: its lease ends, and what moves is stopped there.
  process.on("disconnect", () => process.exit(0));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => obey("abort"));
  process.on("message", (order: ScanOrder) => {
    if (order.kind !== "scan") {
      obey(order.kind);
      return;
    }
    run(order.task, (given) => {
      obey = given;
    })
      .catch((error: unknown) => tell({ kind: "failed", error: toWireError(error) }))
      .finally(() => process.disconnect());
  });
}
