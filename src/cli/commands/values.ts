import { linePlot, textTable } from "../../plot/index.ts";
import { type AddCommand, declare, findRun, parseWhole, runArgument } from "../command.ts";

interface Options {
  readonly limit?: number;
  readonly csv?: string;
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
        .option("--csv <file>", "write a CSV file")
        .option("--plot <file>", "write an SVG plot against tag"),
    async (session, { limit, csv, plot }, [number, names]) => {
      const run = await findRun(session, number);
      const { signal } = session;
      const table = await run.table(names, (await run.tags({ signal })).slice(0, limit), { signal });
      if (csv !== undefined) io.writeFile(csv, table.toCsv());
      if (plot !== undefined) {
        const x = Array.from(table.tags);
        const series = table.columns.map((column) => ({ label: column.equipId, x, y: column.values, style: "points" as const }));
        io.writeFile(plot, linePlot(series, { title: `run ${run.run}`, xLabel: "tag", yLabel: table.columns.map(({ unit }) => unit).join(", ") }));
      }
      const columns = table.columns.map((column) => ({
        equipId: column.equipId,
        unit: column.unit,
        counts: column.counts,
        mean: column.mean(),
        values: Array.from(column.values, (v, i) => column.reason(i) ?? v),
      }));
      const rows = Array.from(table.tags, (tag, i) => [tag, ...table.columns.map((column) => column.text(i))]);
      return {
        json: { bl: run.bl, run: run.run, hightag: run.hightag, tags: [...table.tags], columns },
        text: textTable(["tag", ...names], rows),
      };
    },
  );
