import { formatTimingCsv } from "../../db/index.ts";
import { type AddCommand, declare, findRun, runArgument } from "../command.ts";

interface Options {
  readonly out?: string;
}

/** `sacla tma RUN -o tma.csv`: edges of the timing monitor. */
export const tma: AddCommand = (program, io) =>
  declare<Options, [number | "newest"]>(
    program,
    io,
    "tma",
    "print the timing edges of a run in the form of the facility's CSV",
    (command) => command.addArgument(runArgument()).option("-o, --out <file>", "write them to a CSV file"),
    async (session, { out }, [number]) => {
      const run = await findRun(session, number);
      const edges = await run.timingEdges({ signal: session.signal });
      const text = formatTimingCsv(edges);
      if (out !== undefined) io.writeFile(out, text);
      const found = edges.fittingPx.filter(Number.isFinite).length;
      return {
        json: {
          bl: run.bl,
          run: run.number,
          hightag: run.hightag,
          file: out ?? null,
          shots: edges.tags.length,
          edges: found,
        },
        text:
          out === undefined ? text.trimEnd() : `${edges.tags.length} shots, ${found} with an edge, written to ${out}`,
      };
    },
  );
