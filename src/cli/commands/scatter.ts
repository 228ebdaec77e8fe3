import { quantityWithError } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import type { TagList } from "../../core/tags.ts";
import type { Run, SignalColumn } from "../../db/index.ts";
import type { PlotSeries } from "../../plot/index.ts";
import { whenAndWhere } from "../caption.ts";
import { type ChoiceOptions, type Chosen, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, declare, findRun, parseFileName, runArgument, type Session } from "../command.ts";
import { checkFolder } from "../io.ts";
import { drawnColumn, drawnFor } from "../signal-plot.ts";

interface Options extends ChoiceOptions {
  readonly out?: string;
}

/** `sacla scatter RUN A B`: one signal against another, shot by shot. */
export const scatter: AddCommand = (program, io) =>
  declare<Options, [number | "newest", string, string]>(
    program,
    io,
    "scatter",
    "plot one signal against another, shot by shot, with their correlation; pumped and unpumped shots in two colours",
    (command) =>
      withChoice(
        command
          .addArgument(runArgument())
          .argument("<x>", "signal along x: a name of the experiment, an equipment id, or BM1")
          .argument("<y>", "signal along y"),
        "all",
      ).option("-o, --out <file>", "plot to write, .svg or .png (default: RUN-X-Y.svg)", parseFileName(".svg", ".png")),
    async (session, options, [number, x, y]) => {
      const run = await findRun(session, number);
      const out = options.out ?? `${run.number}-${fileName(x)}-${fileName(y)}.svg`;
      checkFolder(out);
      const { signal } = session;
      const chosen = await chooseShots(session, run, options, "all");
      const table = await run.table([x, y], chosen.tags.slice(0, options.limit), { signal });
      const [across, along] = [table.column(x), table.column(y)];
      const drawn = table.tags.filter((_, i) => Number.isFinite((across.values[i] ?? NaN) + (along.values[i] ?? NaN)));
      const groups = await classesOf(session, run, chosen, drawn, options.class === undefined);
      const [shownX, shownY] = [drawnColumn(across), drawnColumn(along)];
      const series = groups.map(({ label, has }): PlotSeries => {
        const at = Array.from(table.tags, (tag, i) => ({ tag, i })).filter(({ tag }) => has(tag));
        const of = (values: Float64Array): number[] => at.map(({ i }) => values[i] ?? NaN);
        return { label, x: of(shownX.values), y: of(shownY.values), style: "points" };
      });
      const { r, error, count } = correlation(across, along);
      const both = `${counted(count, "shot")} ${count === 1 ? "has" : "have"} both`;
      const told = `${y} against ${x}: ${both}, correlation r = ${quantityWithError(r, error)}`;
      const title = `run ${run.number}: ${table.length} ${chosen.words(table.length)}`;
      const lines = [told, await whenAndWhere(session, run)];
      io.writeFile(out, drawnFor(out, [{ series, xLabel: shownX.label, yLabel: shownY.label, title, lines }]));
      return {
        json: {
          bl: run.bl,
          run: run.number,
          x,
          y,
          units: table.units,
          shots: table.length,
          both: count,
          r,
          error,
          file: out,
        },
        text: `${told}\n${table.length} ${chosen.words(table.length)} of run ${run.number}: ${out}`,
      };
    },
  );

interface Group {
  readonly label?: string;
  readonly has: (tag: number) => boolean;
}

/** Pumped and unpumped shots apart where the run has both and nobody asked for one class; else all as one. */
async function classesOf(
  { signal }: Session,
  run: Run,
  { tags }: Chosen,
  drawn: TagList,
  isOpen: boolean,
): Promise<Group[]> {
  const all = [{ has: () => true }];
  if (!isOpen) return all;
  try {
    const labels = await run.labels(tags, { signal });
    const groups = [
      { label: "pumped", tags: labels.on },
      { label: "unpumped", tags: labels.off },
      { label: "no X-rays", tags: labels.dark },
    ].map(({ label, tags: of }) => ({
      label,
      count: of.intersect(drawn).length,
      has: (tag: number) => of.has(tag),
    }));
    const known = groups.filter(({ count }) => count > 0);
    if (known.length < 2) return all;
    const rest = { label: "no label", has: (tag: number): boolean => !known.some(({ has }) => has(tag)) };
    return drawn.filter((tag) => rest.has(tag)).length > 0 ? [...known, rest] : known;
  } catch {
    // A run without the flags of a pump laser has no such classes.
    return all;
  }
}

/** Pearson's r over the shots that have both, with its standard error (1 − r²)/√(n − 1). */
function correlation(
  a: SignalColumn,
  b: SignalColumn,
): { readonly r: number; readonly error: number; readonly count: number } {
  const pairs = Array.from(a.values, (x, i) => [x, b.values[i] ?? NaN] as const).filter(([x, y]) =>
    Number.isFinite(x + y),
  );
  const n = pairs.length;
  const mean = (k: 0 | 1): number => pairs.reduce((sum, pair) => sum + pair[k], 0) / n;
  const [meanX, meanY] = [mean(0), mean(1)];
  let [xx, yy, xy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    xx += (x - meanX) ** 2;
    yy += (y - meanY) ** 2;
    xy += (x - meanX) * (y - meanY);
  }
  const r = xy / Math.sqrt(xx * yy);
  return { r, error: (1 - r * r) / Math.sqrt(n - 1), count: n };
}

function fileName(signal: string): string {
  return signal.replace(/[^A-Za-z0-9_-]+/g, "_");
}
