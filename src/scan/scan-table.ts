import type { ReportSection } from "../plot/index.ts";
import { linePlot, reportPage, terminalPlot, textTable } from "../plot/index.ts";
import type { Observer, Row } from "./observer.ts";
import { summary } from "./shot-collector.ts";

/** A column of a run table by its name, one cell per row. */
export interface ScanColumn {
  readonly name: string;
  readonly values: readonly (number | string)[];
}

/**
 * Keeps the rows of a scan as a table: positions, shots used and asked, mean and error of every signal. Hand it to the
 * engine as an observer.
 * @example
 * const table = new ScanTable();
 * await new Engine(apparatus, { observers: [table] }).run(plan);
 * await writeFile("scan.csv", table.csv());
 */
export class ScanTable implements Observer {
  readonly #rows: Row[] = [];

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
      ...[...signals].flatMap((signal) => [
        over(`${signal} mean`, ({ taken }) => (taken === null ? undefined : summary(taken, signal).mean)),
        over(`${signal} error`, ({ taken }) => (taken === null ? undefined : summary(taken, signal).standardError)),
      ]),
    ];
  }

  /** RFC 4180, with a header line. */
  csv(): string {
    const columns = this.columns();
    const lines = [columns.map(({ name }) => quoted(name)).join(",")];
    for (let i = 0; i < this.#rows.length; i++) lines.push(columns.map(({ values }) => quoted(values[i] ?? "")).join(","));
    return `${lines.join("\r\n")}\r\n`;
  }

  /** For a terminal. */
  text(): string {
    const columns = this.columns().filter(({ name }) => name !== "time");
    return textTable(
      columns.map(({ name }) => name),
      this.#rows.map((_, i) => columns.map(({ values }) => shown(values[i] ?? ""))),
    );
  }

  /** One page with the curves of all signals and the table. */
  html(title: string, axis?: string): string {
    const columns = this.columns();
    const x = axis ?? Object.keys(this.#rows[0]?.data ?? {})[0];
    const curves: ReportSection[] = columns
      .filter(({ name }) => name.endsWith(" mean"))
      .map(({ name, values }) => ({
        heading: name,
        svg: linePlot([{ x: this.#rows.map(({ data }) => data[x ?? ""] ?? NaN), y: values.map(Number) }], { xLabel: x, yLabel: name }),
      }));
    const header = columns.map(({ name }) => name);
    const rows = this.#rows.map((_, i) => columns.map(({ values }) => shown(values[i] ?? "")));
    return reportPage({ title, sections: [...curves, { heading: "Points", table: { header, rows } }] });
  }

  /** The mean of a signal over the points, as dots for a terminal. */
  curve(signal: string): string {
    return terminalPlot(this.#rows.map(({ taken }) => (taken === null ? NaN : summary(taken, signal).mean)));
  }

  /** The curve of a signal as SVG; with points ±1 standard error as a band. @param axis - name of the position along x */
  svg(signal: string, axis: string): string {
    const x = this.#rows.map(({ data }) => data[axis] ?? NaN);
    const all = this.#rows.map(({ taken }) => (taken === null ? { mean: NaN, standardError: NaN } : summary(taken, signal)));
    return linePlot(
      [
        { label: signal, x, y: all.map(({ mean }) => mean) },
        {
          label: "± 1 standard error",
          x: [...x, ...x],
          y: [...all.map(({ mean, standardError: e }) => mean + e), ...all.map(({ mean, standardError: e }) => mean - e)],
          style: "points",
        },
      ],
      { xLabel: axis, yLabel: signal },
    );
  }
}

function shown(value: number | string): number | string {
  return typeof value === "number" ? Number(value.toPrecision(9)) : value;
}

/** Quoted where it must be; a text that a spreadsheet would take for a formula does not begin with its sign. */
function quoted(value: number | string): string {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
