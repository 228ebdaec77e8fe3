import { formatCsv } from "../../core/csv.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { quantityWithError } from "../../core/quantities.ts";
import { timeText, type Zone } from "../../core/time-text.ts";
import { linePlot, reportPage, terminalPlot, textTable } from "../../plot/index.ts";
import { difference, pumpedAndUnpumped, summary, whyMissing } from "../beamline/shot-collector.ts";
import type { Row, ScanCallback } from "../engine/callback.ts";
import type { SignalSummary } from "../messages/messages.ts";
import { type ScanAnswer, type ScanAnswerOptions, scanAnswers } from "./scan-answer.ts";
import { type CurveOptions, scanPanels, scanPng, type Units } from "./scan-curves.ts";

/** A column of a run table by its name, one cell per row. */
export interface ScanColumn {
  readonly name: string;
  readonly values: readonly (number | string)[];
}

export interface ScanTableOptions {
  /**
   * A flag among the signals that are kept, 1 where the pump was there and 0 where it was not: every other signal then
   * has columns and curves of pumped and unpumped shots and of their difference.
   */
  readonly pumpedBy?: string | undefined;
}

/**
 * Keeps the rows of a scan as a table: positions, shots used and asked, mean and error of every signal. Hand it to the
 * engine as a callback.
 * @example
 * const table = new ScanTable();
 * await new Engine(beamline, { callbacks: [table] }).run(plan);
 * await writeFile("scan.csv", table.csv());
 */
export class ScanTable implements ScanCallback {
  readonly #rows: Row[] = [];
  readonly #pumpedBy: string | undefined;

  constructor(options: ScanTableOptions = {}) {
    this.#pumpedBy = resolveOptions("ScanTable", options, { pumpedBy: any }).pumpedBy;
  }

  point(row: Row): void {
    this.#rows.push(row);
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Names in order of first appearance; a row that lacks one has an empty cell. */
  columns(): readonly ScanColumn[] {
    const names = new Set(this.#rows.flatMap(({ data }) => Object.keys(data)));
    const signals = new Set(this.#rows.flatMap(({ taken }) => Object.keys(taken?.values ?? {})));
    const hasRuns = this.#rows.some(({ taken }) => taken?.run !== undefined);
    const hasShots = this.#rows.some(({ taken }) => taken !== null);
    const over = (name: string, of: (row: Row) => number | string | undefined): ScanColumn => ({
      name,
      values: this.#rows.map((row) => of(row) ?? ""),
    });
    return [
      over("time", ({ time }) => new Date(time).toISOString()),
      ...[...names].map((name) => over(name, ({ data }) => data[name])),
      ...(hasRuns ? [over("facility run", ({ taken }) => taken?.run)] : []),
      ...(hasShots
        ? [
            over("shots used", ({ taken }) => taken?.ledger.used),
            over("shots asked", ({ taken }) => taken?.ledger.asked),
            over("outcome", ({ taken }) => taken?.outcome),
            over("first tag", ({ taken }) => taken?.tags[0]),
            over("last tag", ({ taken }) => taken?.tags.at(-1)),
          ]
        : []),
      ...[...signals].flatMap((signal) => this.#summaries(signal, over)),
    ];
  }

  #summaries(
    signal: string,
    over: (name: string, of: (row: Row) => number | string | undefined) => ScanColumn,
  ): ScanColumn[] {
    const pair = (name: string, of: (taken: NonNullable<Row["taken"]>) => SignalSummary): ScanColumn[] => [
      over(`${name} mean`, ({ taken }) => (taken === null ? undefined : of(taken).mean)),
      over(`${name} error`, ({ taken }) => (taken === null ? undefined : of(taken).standardError)),
    ];
    const pumpedBy = this.#pumpedBy;
    const hasGaps = this.#rows.some(({ taken }) => taken?.missing?.[signal] !== undefined);
    return [
      ...pair(signal, (taken) => summary(taken, signal)),
      ...(hasGaps
        ? [over(`${signal} missing`, ({ taken }) => (taken === null ? undefined : whyMissing(taken, signal)))]
        : []),
      ...(pumpedBy === undefined || pumpedBy === signal
        ? []
        : [
            ...pair(`${signal} pumped`, (taken) => pumpedAndUnpumped(taken, signal, pumpedBy).pumped),
            ...pair(`${signal} unpumped`, (taken) => pumpedAndUnpumped(taken, signal, pumpedBy).unpumped),
            ...pair(`${signal} difference`, (taken) => difference(taken, signal, pumpedBy)),
          ]),
    ];
  }

  /**
   * Peak, dip or step of every signal, or why there is none; see {@link scanAnswers}.
   * @example for (const answer of table.answers()) console.log(answerText(answer, units));
   */
  answers(options: Omit<ScanAnswerOptions, "pumpedBy"> = {}): ScanAnswer[] {
    return scanAnswers(this.#rows, { ...options, pumpedBy: this.#pumpedBy });
  }

  /** CSV with a header line; see docs/scans.md. @param units - by name of axis or signal, written after the names */
  csv(units: Units = {}): string {
    const columns = this.columns();
    const rows = this.#rows.map((_, i) => columns.map(({ values }) => values[i] ?? ""));
    return formatCsv([columns.map(({ name }) => withUnit(name, units)), ...rows]);
  }

  /**
   * For a terminal: mean and error of a signal in one cell, `5.03(8) nC`.
   * @param units - by name of axis or signal
   */
  text(units: Units = {}): string {
    const cells = this.#cells(
      this.columns().filter(({ name }) => name !== "time" && !/ tag$/.test(name)),
      units,
    );
    return textTable(
      cells.map(({ name }) => name),
      this.#rows.map((_, i) => cells.map(({ values }) => values[i] ?? "")),
    );
  }

  /** Mean and error of a signal in one cell. */
  #cells(columns: readonly ScanColumn[], units: Units): ScanColumn[] {
    return columns.flatMap(({ name, values }): ScanColumn[] => {
      const [, what = name, part = ""] = /^(.*) (mean|error)$/.exec(name) ?? [];
      if (part === "error" && columns.some((other) => other.name === `${what} mean`)) return [];
      if (part !== "mean") return [{ name: withUnit(name, units), values: values.map(shown) }];
      const errors = columns.find((other) => other.name === `${what} error`)?.values ?? [];
      const unit = unitOf(what, units);
      const text = (value: number | string, i: number): string =>
        typeof value === "number" ? quantityWithError(value, Number(errors[i] ?? NaN), unit) : value;
      return [{ name: what, values: values.map(text) }];
    });
  }

  /**
   * One page with the curves of all signals and the table.
   * @param axis - name along x; default: see {@link CurveOptions}
   * @param units - by name of axis or signal
   * @param lines - what was found, above the curves
   * @param zone - whose time is in the table
   */
  html(title: string, axis?: string, units: Units = {}, lines: readonly string[] = [], zone: Zone = "jst"): string {
    const columns = this.#cells(this.columns(), units).map(({ name, values }) =>
      name === "time"
        ? { name, values: this.#rows.map(({ time }) => timeText(new Date(time), zone)) }
        : { name, values },
    );
    const panels = scanPanels(this.#rows, { pumpedBy: this.#pumpedBy, axis, units });
    const curves = panels.map(({ series, ...text }) => ({ heading: text.yLabel ?? "", svg: linePlot(series, text) }));
    const header = columns.map(({ name }) => name);
    const rows = this.#rows.map((_, i) => columns.map(({ values }) => unbroken(values[i] ?? "")));
    const answer = lines.length === 0 ? [] : [{ heading: "Answer", text: lines.join("\n") }];
    return reportPage({ title, sections: [...answer, ...curves, { heading: "Points", table: { header, rows } }] });
  }

  /**
   * The curves of all signals with their standard errors as one PNG for a logbook, 800 pixels wide. Before the first
   * point it says "no data".
   * @throws BAD_ARGUMENT when an option is not one of those allowed
   * @example
   * await writeFile("scan.png", table.png({ title: "run 206178", units: { delay: "ps" } }));
   */
  png(
    options: CurveOptions & {
      readonly title?: string | undefined;
      /** Smaller lines below the title. */
      readonly lines?: readonly string[] | undefined;
    } = {},
  ): Uint8Array<ArrayBuffer> {
    const checks = { title: any, lines: any, axis: any, units: any };
    const { title, lines, axis, units } = resolveOptions("png", options, checks);
    return scanPng(this.#rows, title, { pumpedBy: this.#pumpedBy, axis, units }, lines);
  }

  /** The mean of a signal over the points, as dots for a terminal. */
  curve(signal: string): string {
    return terminalPlot(this.#rows.map(({ taken }) => (taken === null ? NaN : summary(taken, signal).mean)));
  }

  /** The curve of a signal as SVG, with its standard errors. @param axis - name of the position along x */
  svg(signal: string, axis: string): string {
    const all = this.#rows.map(({ taken }) =>
      taken === null ? { mean: NaN, standardError: NaN } : summary(taken, signal),
    );
    const curve = {
      x: this.#rows.map(({ data }) => data[axis] ?? NaN),
      y: all.map(({ mean }) => mean),
      error: all.map((one) => one.standardError),
    };
    return linePlot([{ label: signal, ...curve, style: "line-and-points" }], { xLabel: axis, yLabel: signal });
  }
}

/** `delay (ps)`; the columns of a signal, such as `i0 mean`, have its unit. */
function withUnit(column: string, units: NonNullable<CurveOptions["units"]>): string {
  const unit = unitOf(column.replace(/ (mean|error)$/, ""), units);
  return unit === "" ? column : `${column} (${unit})`;
}

/** Of `i0`, and of `i0 pumped`, `i0 unpumped` and `i0 difference`. */
function unitOf(what: string, units: NonNullable<CurveOptions["units"]>): string {
  return units[what] ?? units[what.replace(/ (pumped|unpumped|difference)$/, "")] ?? "";
}

/** One line in a cell. */
function unbroken(value: number | string): number | string {
  return typeof value === "number" ? value : value.replaceAll(" ", "\u00a0");
}

function shown(value: number | string): number | string {
  return typeof value === "number" ? Number(value.toPrecision(9)) : value;
}
