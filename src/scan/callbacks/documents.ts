import { createHash } from "node:crypto";
import { isRecord } from "../../core/guards.ts";
import { any, defined, resolveOptions } from "../../core/options.ts";
import { summary } from "../beamline/shot-collector.ts";
import type { Row, ScanCallback, ScanEnd, ScanStart } from "../engine/callback.ts";
import type { PlanLayout } from "../engine/plan-layout.ts";

/** A document of Bluesky's event model with its name. */
export type ScanDocument = readonly [
  name: "start" | "descriptor" | "event" | "stop",
  document: Readonly<Record<string, unknown>>,
];

export interface DocumentOptions {
  /** Units of axes and signals by name, for the descriptor: read at the first row. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  /**
   * More for the start document: sample, proposal, … A `scan_id` here takes the place of the second the scan began at
   * (Unix time).
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Tells a scan as documents of Bluesky's event model (start, descriptor, event, stop; the JSON schemas are those of
 * PyPI's `event-model`), with what Bluesky's own callbacks go by: `scan_id`, `motors`, `num_points`, `hints`, and
 * `shape` and `extents` of a grid. A scan that is resumed gives the same documents again, with the same uids,
 * so that whoever keeps them by uid has each once. What is not known is NaN, which JSON writes as null.
 *
 * @example
 * const documents = new DocumentStream(([name, document]) => file.write(`${JSON.stringify([name, document])}\n`));
 * await new Engine(beamline, { callbacks: [documents] }).run(plan);
 */
export class DocumentStream implements ScanCallback {
  readonly #emit: (document: ScanDocument) => void;
  readonly #options: DocumentOptions;
  #start = "";
  #axes: readonly string[] = [];
  #decimals: Readonly<Record<string, number>> = {};
  /** By the names of their data: plans may write rows of several kinds. */
  readonly #streams: Stream[] = [];

  constructor(emit: (document: ScanDocument) => void, options: DocumentOptions = {}) {
    this.#emit = emit;
    this.#options = resolveOptions("DocumentStream", options, { units: any, metadata: any });
  }

  begin({ uid, plan, settings, time, layout }: ScanStart): void {
    this.#start = uid;
    this.#axes = layout.dimensions.flat();
    this.#decimals = layout.decimals;
    this.#streams.length = 0;
    const plain: unknown = JSON.parse(JSON.stringify(settings));
    this.#emit([
      "start",
      {
        scan_id: Math.floor(time / 1000),
        ...this.#options.metadata,
        uid,
        time: time / 1000,
        plan_name: plan,
        plan_type: "generator",
        plan_args: { ...(isRecord(plain) ? plain : {}), ...stepsOf(layout) },
        ...layoutOf(layout),
      },
    ]);
  }

  point(row: Row): void {
    const data = dataOf(row);
    const names = Object.keys(data).sort();
    // A row that lacks a number of the others, such as one whose spot had no shot, is one of them.
    const stream =
      this.#streams.find((each) => names.every((name) => each.names.includes(name))) ??
      this.#describe(names, row, data);
    const seq = ++stream.events;
    this.#emit([
      "event",
      {
        uid: this.#uid("event", stream.name, seq),
        descriptor: stream.uid,
        time: row.time / 1000,
        seq_num: seq,
        data: Object.fromEntries(stream.names.map((name) => [name, data[name] ?? NaN])),
        timestamps: Object.fromEntries(stream.names.map((name) => [name, row.time / 1000])),
        filled: {},
      },
    ]);
  }

  end({ outcome, error }: { readonly outcome: ScanEnd["outcome"] | "failed"; readonly error?: Error }): void {
    // Refused before it began: there is no start that this could be the stop of.
    if (this.#start === "") return;
    const exit = { done: "success", stopped: "success", aborted: "abort", failed: "fail" }[outcome];
    const events = Object.fromEntries(this.#streams.map(({ name, events: n }) => [name, n]));
    this.#emit([
      "stop",
      {
        uid: this.#uid("stop"),
        run_start: this.#start,
        time: Date.now() / 1000,
        exit_status: exit,
        reason: error?.message ?? (outcome === "done" ? "" : outcome),
        num_events: events,
      },
    ]);
  }

  #describe(names: readonly string[], row: Row, data: Readonly<Record<string, number>>): Stream {
    // The first kind of row is Bluesky's `primary` stream.
    const name = this.#streams.length === 0 ? "primary" : `stream_${this.#streams.length + 1}`;
    const made = { uid: this.#uid("descriptor", name), name, names, events: 0 };
    this.#streams.push(made);
    const units = Object.entries(this.#options.units ?? {}).map(([of, unit]) => [keyOf(of), unit]);
    const unitOf: Readonly<Record<string, string>> = Object.fromEntries(units);
    const axes = this.#axes.filter((axis) => names.includes(keyOf(axis)));
    const keys = names.map((key) => {
      const axis = axes.find((each) => keyOf(each) === key);
      const precision = axis === undefined ? precisionOf(data[key] ?? NaN, data[`${key}_error`]) : this.#decimals[axis];
      const ofValue = key.endsWith("_error") ? key.slice(0, -"_error".length) : key;
      const unit = unitOf[key] ?? (names.includes(ofValue) ? unitOf[ofValue] : undefined);
      const object = axis === undefined ? MEASURED : axisObject(axis);
      const more = { object_name: object, ...defined({ units: unit, precision }) };
      return [key, { source: `sacla:${key}`, dtype: "number", shape: [], ...more }];
    });
    // One object for each axis, as a motor of Bluesky, and one for what was measured.
    const ofAxes = axes.map((axis) => [axisObject(axis), [keyOf(axis)]] as const);
    const rest = names.filter((key) => !axes.some((axis) => keyOf(axis) === key));
    this.#emit([
      "descriptor",
      {
        uid: made.uid,
        run_start: this.#start,
        time: row.time / 1000,
        name,
        data_keys: Object.fromEntries(keys),
        object_keys: { ...Object.fromEntries(ofAxes), [MEASURED]: rest },
        hints: {
          ...Object.fromEntries(ofAxes.map(([object, fields]) => [object, { fields }])),
          [MEASURED]: { fields: signalsIn(row, rest) },
        },
        configuration: {},
      },
    ]);
    return made;
  }

  /** The same for the same part of the same scan (a version 8 UUID, RFC 9562). */
  #uid(...parts: readonly (string | number)[]): string {
    const hex = createHash("sha256")
      .update([this.#start, ...parts].join(" "))
      .digest("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

/** The object of a descriptor that has all but the axes. */
const MEASURED = "scan";

interface Stream {
  readonly uid: string;
  readonly name: string;
  readonly names: readonly string[];
  events: number;
}

/** What Bluesky's own plans say in the start document of where they go. */
function layoutOf({ dimensions, points, extents, grid, pattern }: PlanLayout): Readonly<Record<string, unknown>> {
  const fields = dimensions.length === 0 ? [["time"]] : dimensions.map((axes) => axes.map(keyOf));
  const motors = dimensions.flat().map(axisObject);
  return {
    ...(motors.length === 0 ? {} : { motors }),
    ...(points === undefined ? {} : { num_points: points, num_intervals: Math.max(0, points - 1) }),
    ...(motors.length === 0 || pattern === undefined
      ? {}
      : { plan_pattern: pattern, plan_pattern_module: "bluesky.plan_patterns" }),
    ...(extents === undefined || dimensions.length < 2 ? {} : { extents }),
    ...(grid === undefined ? {} : { shape: grid.shape, snaking: grid.snaking }),
    hints: {
      dimensions: fields.map((names) => [names, "primary"]),
      ...(pattern === "outer_product" ? { gridding: "rectilinear" } : {}),
    },
  };
}

/** Arguments as those of Bluesky's `scan`, by which files in SPEC's format name their scans. */
function stepsOf({ dimensions, extents, points }: PlanLayout): Readonly<Record<string, unknown>> {
  const [axes = [], ...others] = dimensions;
  if (others.length > 0 || axes.length !== 1 || extents?.[0] === undefined || points === undefined) return {};
  return { args: [axisObject(axes[0] ?? ""), ...extents[0]], num: points };
}

/** The signals of a row: what is worth a plot. A fly scan and a plan of one's own have them among the row's numbers. */
function signalsIn({ taken }: Row, names: readonly string[]): string[] {
  if (taken !== null) return Object.keys(taken.values).map(keyOf);
  return names.filter((name) => !["tag", "spot", "index"].includes(name));
}

/** Decimals that show a value to its error, or to five digits. */
function precisionOf(value: number, error = NaN): number {
  if (Number.isInteger(value) && !(error > 0)) return 0;
  const size = error > 0 ? error / 10 : Math.abs(value) / 1e4;
  return size > 0 && Number.isFinite(size) ? Math.min(15, Math.max(0, Math.ceil(-Math.log10(size)))) : 3;
}

/** The numbers of a row; what is not known is NaN. */
function dataOf({ data, taken }: Row): Record<string, number> {
  const all: Record<string, number> = {};
  const put = (name: string, value: number): void => {
    all[keyOf(name)] = Number.isFinite(value) ? value : NaN;
  };
  for (const [name, value] of Object.entries(data)) put(name, value);
  if (taken === null) return all;
  if (taken.run !== undefined) put("facility_run", taken.run);
  put("shots_used", taken.ledger.used);
  put("shots_asked", taken.ledger.asked);
  for (const signal of Object.keys(taken.values)) {
    const { mean, standardError } = summary(taken, signal);
    put(signal, mean);
    put(`${signal}_error`, standardError);
  }
  return all;
}

/**
 * Keys of the event model must not have a dot or a slash, which equipment ids have, nor be the names of what every
 * event has.
 */
function keyOf(name: string): string {
  return name === "time" || name === "seq_num" ? `${name}_` : name.replaceAll(/[./]/g, "_");
}

function axisObject(axis: string): string {
  return keyOf(axis) === MEASURED ? `${MEASURED}_` : keyOf(axis);
}
