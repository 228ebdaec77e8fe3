import { createHash } from "node:crypto";
import { any, defined, resolveOptions } from "../../core/options.ts";
import { summary } from "../beamline/shot-collector.ts";
import type { Row, ScanCallback, ScanEnd, ScanStart } from "../engine/callback.ts";

/** A document of Bluesky's event model with its name. */
export type ScanDocument = readonly [
  name: "start" | "descriptor" | "event" | "stop",
  document: Readonly<Record<string, unknown>>,
];

export interface DocumentOptions {
  /** Units of axes and signals by name, for the descriptor. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  /** More for the start document: sample, proposal, … */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Tells a scan as documents of Bluesky's event model (start, descriptor, event, stop; the JSON schemas are those of
 * PyPI's `event-model`). A scan that is resumed gives the same documents again, with the same uids, so that whoever
 * keeps them by uid has each once.
 *
 * @example
 * const documents = new DocumentStream(([name, document]) => file.write(`${JSON.stringify([name, document])}\n`));
 * await new Engine(beamline, { callbacks: [documents] }).run(plan);
 */
export class DocumentStream implements ScanCallback {
  readonly #emit: (document: ScanDocument) => void;
  readonly #options: DocumentOptions;
  #start = "";
  /** Descriptors by the names of their data: plans may write rows of several kinds. */
  readonly #descriptors = new Map<string, { readonly uid: string; readonly stream: string; events: number }>();

  constructor(emit: (document: ScanDocument) => void, options: DocumentOptions = {}) {
    this.#emit = emit;
    this.#options = resolveOptions("DocumentStream", options, { units: any, metadata: any });
  }

  begin({ uid, plan, settings, time }: ScanStart): void {
    this.#start = uid;
    this.#descriptors.clear();
    const plain: unknown = JSON.parse(JSON.stringify(settings));
    this.#emit([
      "start",
      { ...this.#options.metadata, uid, time: time / 1000, plan_name: plan, plan_type: "generator", plan_args: plain },
    ]);
  }

  point(row: Row): void {
    const data = dataOf(row);
    const names = Object.keys(data).sort();
    const descriptor = this.#descriptors.get(names.join()) ?? this.#describe(names, row, data);
    const seq = ++descriptor.events;
    this.#emit([
      "event",
      {
        uid: this.#uid("event", descriptor.stream, seq),
        descriptor: descriptor.uid,
        time: row.time / 1000,
        seq_num: seq,
        data,
        timestamps: Object.fromEntries(names.map((name) => [name, row.time / 1000])),
        filled: {},
      },
    ]);
  }

  end({ outcome, error }: { readonly outcome: ScanEnd["outcome"] | "failed"; readonly error?: Error }): void {
    const exit = { done: "success", stopped: "success", aborted: "abort", failed: "fail" }[outcome];
    const events = Object.fromEntries([...this.#descriptors.values()].map(({ stream, events: n }) => [stream, n]));
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

  #describe(
    names: readonly string[],
    row: Row,
    data: Readonly<Record<string, number | null>>,
  ): { uid: string; stream: string; events: number } {
    // The first kind of row is Bluesky's `primary` stream.
    const stream = this.#descriptors.size === 0 ? "primary" : `stream_${this.#descriptors.size + 1}`;
    const made = { uid: this.#uid("descriptor", stream), stream, events: 0 };
    this.#descriptors.set(names.join(), made);
    const keys = names.map((name) => {
      const unit = this.#options.units?.[name];
      return [name, { source: `sacla:${name}`, dtype: "number", shape: [], ...defined({ units: unit }) }];
    });
    const axes = Object.keys(row.data).filter((name) => name in data);
    this.#emit([
      "descriptor",
      {
        uid: made.uid,
        run_start: this.#start,
        time: row.time / 1000,
        name: stream,
        data_keys: Object.fromEntries(keys),
        object_keys: { scan: names },
        hints: { scan: { fields: names.filter((name) => !axes.includes(name)) } },
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

/** The numbers of a row; JSON and Bluesky know no NaN, so what is not known is null. */
function dataOf({ data, taken }: Row): Record<string, number | null> {
  const all: Record<string, number | null> = {};
  const put = (name: string, value: number): void => {
    all[keyOf(name)] = Number.isFinite(value) ? value : null;
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

/** Keys of the event model must not have a dot or a slash, which equipment ids have. */
function keyOf(name: string): string {
  return name.replaceAll(/[./]/g, "_");
}
