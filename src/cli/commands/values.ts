import { syncStatus } from "../../core/syncdb.ts";
import { type SignalTable, tableFormOf } from "../../db/index.ts";
import { linePlot, textTable } from "../../plot/index.ts";
import { type AddCommand, declare, findRun, parseWhole, runArgument } from "../command.ts";

interface Options {
  readonly limit?: number;
  readonly out?: string;
  readonly plot?: string;
}

/** `sacla values RUN SIGNAL…`: signals aligned by tag, with a reason for each missing value. */
export const values: AddCommand = (program, io) =>
  declare<Options, [number | "newest", string[]]>(
    program,
    io,
    "values",
    "print 0-D signals of a run, aligned by tag, with a reason for each missing value",
    (command) =>
      command
        .addArgument(runArgument())
        .argument("<signals...>", "equipment ids; find them with sacla signals")
        .option("-n, --limit <count>", "only the first shots", parseWhole)
        .option("-o, --out <file>", "write a table: .csv, .arrow (Feather) or .parquet")
        .option("--plot <file>", "write an SVG plot against tag"),
    async (session, { limit, out, plot }, [number, names]) => {
      if (out !== undefined) tableFormOf(out);
      const run = await findRun(session, number);
      const { signal } = session;
      const table = await run.table(names, (await run.tags({ signal })).slice(0, limit), { signal });
      if (out !== undefined) io.writeFile(out, await table.encode(out));
      if (plot !== undefined) {
        io.writeFile(plot, plotOf(table, `run ${run.number}`));
      }
      const columns = table.columns.map((column) => ({
        equipId: column.equipId,
        unit: column.unit,
        counts: column.counts,
        mean: column.mean(),
        values: Array.from(column.values, (v, i) => column.reason(i) ?? v),
      }));
      return {
        json: { bl: run.bl, run: run.number, hightag: run.hightag, file: out ?? null, tags: [...table.tags], columns },
        text: out === undefined ? everyValue(table) : `${counted(table)}\n${table.length} shots written to ${out}`,
      };
    },
  );

/** Signals of several units have no axis in common: each is then shown by its own mean. */
function plotOf({ tags, columns }: SignalTable, title: string): string {
  const x = Array.from(tags);
  const [unit = "", ...others] = new Set(columns.map((column) => column.unit));
  const series = columns.map((column) => {
    const mean = column.mean() || 1;
    if (others.length === 0) return { label: column.equipId, x, y: column.values, style: "points" as const };
    return {
      label: `${column.equipId} / ${mean.toPrecision(3)} ${column.unit}`,
      x,
      y: column.values.map((value) => value / mean),
      style: "points" as const,
    };
  });
  return linePlot(series, { title, xLabel: "tag", yLabel: others.length === 0 ? unit : "relative to the mean" });
}

function everyValue({ tags, columns, equipIds }: SignalTable): string {
  const rows = Array.from(tags, (tag, i) => [tag, ...columns.map((column) => column.text(i))]);
  return textTable(["tag", ...equipIds], rows);
}

function counted({ columns }: SignalTable): string {
  const rows = columns.map(({ equipId, unit, counts }) => [
    equipId,
    unit,
    ...syncStatus.map((status) => counts[status]),
  ]);
  return textTable(["", "unit", ...syncStatus], rows);
}
