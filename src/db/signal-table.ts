import { formatCsv } from "../core/csv.ts";
import { badArgument } from "../core/guards.ts";
import { counted } from "../core/show.ts";
import { htmlTable, showAs } from "../core/shown.ts";
import type { MissingReason, SyncValue } from "../core/syncdb.ts";
import type { TagList } from "../core/tags.ts";
import type { SignalColumn } from "./signal-column.ts";

/** Forms of a table by the endings of file names. */
const tableForms: Readonly<Record<string, TableForm>> = {
  csv: "csv",
  arrow: "arrow",
  feather: "arrow",
  parquet: "parquet",
};
type TableForm = "csv" | "arrow" | "parquet";

/** The form a table has in a file of that name. @throws BAD_ARGUMENT for an unknown ending */
export function tableFormOf(path: string): TableForm {
  const form = tableForms[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ""];
  if (form !== undefined) return form;
  throw badArgument(
    "the name of the table",
    path,
    `one that ends with ${Object.keys(tableForms)
      .map((ending) => `.${ending}`)
      .join(", ")}`,
  );
}

/** One shot of a {@link SignalTable}. */
export interface SignalRow {
  readonly tag: number;
  /** By the name asked for, or equipment id: a number, or why there is none. Units: {@link SignalTable.units}. */
  readonly values: Readonly<Record<string, number | MissingReason>>;
}

/** The run of a table; with `info` the times of its shots are known. */
interface TableRun {
  readonly bl: number;
  readonly number: number;
  readonly info?: { readonly starttime: number; readonly start_tagnumber: number };
}

/**
 * Several signals over the same shots, one row per tag; no row is ever left out or shifted by a missing value.
 *
 * @example
 * const table = await run.table([bm1, delay]);
 * for (const { tag, values } of table) console.log(tag, values[bm1], values[delay]);
 */
export class SignalTable implements Iterable<SignalRow> {
  readonly tags: TagList;
  readonly columns: readonly SignalColumn[];
  /** The run that the shots belong to, when they belong to one: Arrow and Parquet files name it. */
  readonly run: TableRun | undefined;

  constructor(tags: TagList, columns: readonly SignalColumn[], run?: TableRun) {
    this.tags = tags;
    this.columns = columns;
    this.run = run;
  }

  /** Number of rows. */
  get length(): number {
    return this.tags.length;
  }

  get equipIds(): string[] {
    return this.columns.map(({ equipId }) => equipId);
  }

  /** Unit of each signal, by the name asked for, or equipment id. */
  get units(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.columns.map(({ name, unit }) => [name, unit]));
  }

  /** @throws BAD_ARGUMENT when the table has no such signal */
  column(equipId: string): SignalColumn {
    const found = this.columns.find((column) => column.name === equipId || column.equipId === equipId);
    if (found === undefined)
      throw badArgument("equipId", equipId, `one of ${this.columns.map(({ name }) => name).join(", ")}`);
    return found;
  }

  /** The value of one signal at one tag. @throws BAD_ARGUMENT when the table has no such signal or tag */
  at(tag: number, equipId: string): SyncValue {
    return this.column(equipId).at(tag);
  }

  /** The row of a tag. @throws BAD_ARGUMENT when the table has no such tag */
  row(tag: number): SignalRow {
    const i = this.tags.indexOf(tag);
    if (i < 0)
      throw badArgument(
        "tag",
        tag,
        `one of the ${this.length} tags of this table (${this.tags.at(0)} to ${this.tags.at(-1)})`,
      );
    return this.#row(i);
  }

  *[Symbol.iterator](): Generator<SignalRow, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this.#row(i);
  }

  /**
   * The table as CSV, one line per tag: `tag_number`, then for each signal `<equipment id>(<unit>)`, a number or empty,
   * and `<equipment id>:status`, `ok` or the reason why there is no number (`not-converged`, `saturated`, `missing`).
   * pandas, polars, duckdb and R read the numbers as numbers without an option; see docs/files.md.
   */
  toCsv(): string {
    const header = this.columns.flatMap(({ name, unit }) => [
      unit === "" ? name : `${name}(${unit})`,
      `${name}:status`,
    ]);
    const rows = Array.from({ length: this.length }, (_, i) => [
      this.tags.at(i) ?? NaN,
      ...this.columns.flatMap((column) => {
        const reason = column.reason(i);
        return reason === null ? [column.values[i] ?? NaN, "ok"] : [NaN, reason];
      }),
    ]);
    return formatCsv([["tag_number", ...header], ...rows]);
  }

  /**
   * The table as an Arrow IPC file (Feather version 2), for `pyarrow.feather.read_table`, pandas, polars, Julia, R:
   * `tag_number` uint32, of a run's table `datetime` (ms, Asia/Tokyo: the start of the run and 60 tags a second), then
   * for each signal a double, null where there is no number, and `<equipment id>:status`,
   * `ok` or the reason. The unit stands in the signal's field metadata; HighTag, and of a run's table beamline and run,
   * in the schema metadata (`hightag`, `bl`, `run`).
   * @example await writeFile("bm1.arrow", await (await run.table([bm1])).toArrow());
   */
  async toArrow(): Promise<Uint8Array<ArrayBuffer>> {
    return (await tableFiles()).arrowFile(this);
  }

  /**
   * The table as a Parquet file (Snappy), with the same columns and metadata as {@link toArrow}'s; `units` as JSON for
   * readers that know no Arrow.
   */
  async toParquet(): Promise<Uint8Array<ArrayBuffer>> {
    return (await tableFiles()).parquetFile(this);
  }

  /**
   * The table as the ending of a file name says: `.csv`, `.arrow` or `.feather`, `.parquet`.
   * @throws BAD_ARGUMENT for another ending
   * @example await writeFile("bm1.parquet", await table.encode("bm1.parquet"));
   */
  async encode(path: string): Promise<string | Uint8Array<ArrayBuffer>> {
    const form = tableFormOf(path);
    if (form === "csv") return this.toCsv();
    return form === "arrow" ? await this.toArrow() : await this.toParquet();
  }

  #row(i: number): SignalRow {
    const values = this.columns.map((column): [string, number | MissingReason] => [
      column.name,
      column.reason(i) ?? column.values[i] ?? NaN,
    ]);
    return { tag: this.tags.at(i) ?? NaN, values: Object.fromEntries(values) };
  }
}

/** Loaded when it is needed: a script that writes neither Arrow nor Parquet does not wait for their packages. */
async function tableFiles(): Promise<typeof import("./table-files.ts")> {
  return await import("./table-files.ts");
}

/** Rows that are shown, half of them from the beginning. */
const SHOWN_ROWS = 10;

/** The first and last rows as cells of text, with `…` between them. */
function shownCells(table: SignalTable): { readonly header: string[]; readonly rows: string[][] } {
  const header = ["tag", ...table.columns.map(({ name, unit }) => (unit === "" ? name : `${name} (${unit})`))];
  const { length } = table;
  const half = SHOWN_ROWS / 2;
  const places = Array.from({ length }, (_, i) => i).filter((i) => i < half || i >= length - half);
  const rows = places.map((i) => [
    `${table.tags.at(i)}`,
    ...table.columns.map((column) => column.reason(i) ?? String(Number((column.values[i] ?? NaN).toPrecision(6)))),
  ]);
  if (length > SHOWN_ROWS)
    rows.splice(
      half,
      0,
      header.map(() => "…"),
    );
  return { header, rows };
}

showAs(
  SignalTable,
  (table) => {
    const { header, rows } = shownCells(table);
    const widths = header.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
    const lines = [header, ...rows].map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join("  "));
    return `SignalTable of ${counted(table.length, "shot")}\n${lines.join("\n")}`;
  },
  (table) => {
    const { header, rows } = shownCells(table);
    return { "text/html": `<p>${counted(table.length, "shot")}</p>${htmlTable(header, rows)}` };
  },
);
