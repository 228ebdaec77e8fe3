import { meanOf } from "../../core/point-errors.ts";
import { quantity, quantityWithError } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import { syncStatus } from "../../core/syncdb.ts";
import { type SignalTable, tableFormOf } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { whenAndWhere } from "../caption.ts";
import { type ChoiceOptions, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, declare, findRun, parseFileName, runArgument } from "../command.ts";
import { checkFolder } from "../io.ts";
import { drawnFor, signalPanels } from "../signal-plot.ts";

interface Options extends ChoiceOptions {
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
      withChoice(
        command
          .addArgument(runArgument())
          .argument("<signals...>", "names of the experiment, equipment ids, or BM1; find them with sacla signals"),
        "all",
      )
        .option("-o, --out <file>", "write a table: .csv, .arrow (Feather) or .parquet")
        .option("--plot <file>", "write a plot against tag: .svg or .png", parseFileName(".svg", ".png")),
    async (session, options, [number, names]) => {
      const { limit, out, plot } = options;
      if (out !== undefined) tableFormOf(out);
      for (const path of [out, plot]) if (path !== undefined) checkFolder(path);
      const run = await findRun(session, number);
      const { signal } = session;
      const chosen = await chooseShots(session, run, options, "all");
      const table = await run.table(names, chosen.tags.slice(0, limit), { signal });
      if (out !== undefined) io.writeFile(out, await table.encode(out));
      if (plot !== undefined) {
        const title = `run ${run.number}: ${table.length} ${chosen.words(table.length)}`;
        const lines = [await whenAndWhere(session, run)];
        io.writeFile(plot, drawnFor(plot, signalPanels(table, { title, lines })));
      }
      const columns = table.columns.map((column) => ({
        name: column.name,
        equipId: column.equipId,
        unit: column.unit,
        counts: column.counts,
        mean: column.mean(),
        values: Array.from(column.values, (v, i) => column.reason(i) ?? v),
      }));
      const files = [out, plot].filter((path) => path !== undefined);
      return {
        json: { bl: run.bl, run: run.number, hightag: run.hightag, file: out ?? null, tags: [...table.tags], columns },
        text: [
          ...(out === undefined && plot === undefined ? [everyValue(table), ""] : []),
          summaryTable(table),
          `${table.length} ${chosen.words(table.length)} of run ${run.number}${
            files.length === 0 ? "" : `: ${counted(table.length, "shot")} written to ${files.join(" and ")}`
          }`,
        ].join("\n"),
      };
    },
  );

function everyValue({ tags, columns }: SignalTable): string {
  const rows = Array.from(tags, (tag, i) => [tag, ...columns.map((column) => column.text(i))]);
  return textTable(["tag", ...columns.map(({ name }) => name)], rows);
}

/** Mean with its standard error, scatter, and how many values there are and why others are not. */
function summaryTable({ columns }: SignalTable): string {
  const rows = columns.map((column) => {
    const { name, unit, counts } = column;
    const { mean, standardError, count } = meanOf(column.values);
    return [
      name,
      quantityWithError(mean, standardError, unit),
      quantity(standardError * Math.sqrt(count), unit, 3),
      ...syncStatus.map((status) => counts[status]),
    ];
  });
  return textTable(["", "mean", "scatter (1σ)", ...syncStatus], rows);
}
