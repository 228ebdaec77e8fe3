import type { Command } from "commander";
import { SaclaError } from "../core/errors.ts";
import { counted } from "../core/show.ts";
import { formatTimingCsv } from "../db/index.ts";
import { type AddedSignal, addSignals, writeColumns } from "../hdf5/index.ts";
import { TimingDb, type TmaRange } from "../timing/index.ts";
import { type CommandResult, declare, parseWhole } from "./command.ts";
import type { Io } from "./io.ts";
import { type RangeOptions, rangeOf, withRange } from "./tma-range.ts";

interface OutOptions {
  readonly out?: string;
}

export function addCsv(group: Command, io: Io): void {
  declare<RangeOptions & OutOptions & { readonly flagged?: boolean }, [number]>(
    group,
    io,
    "csv",
    "write edges of the user database in the form of the facility's CSV (OutputTMACsvFromUDB)",
    (command) =>
      withRange(command.argument("<id>", "TMA id", parseWhole))
        .option("--flagged", "keep the edges that have a flag; without it they are NaN")
        .option("-o, --out <file>", "CSV file to write"),
    async (session, options, [id]) => {
      using db = TimingDb.open(options.db);
      const edges = db.edges(id, await rangeOf(session, options, db.hightags(id)), options.flagged === true);
      const text = formatTimingCsv(edges);
      if (options.out !== undefined) io.writeFile(options.out, text);
      const found = edges.fittingPx.filter(Number.isFinite).length;
      return {
        json: { tmaid: id, file: options.out ?? null, shots: edges.tags.length, edges: found },
        text:
          options.out === undefined
            ? text.trimEnd()
            : `${counted(edges.tags.length, "shot")}, ${found} with an edge, written to ${options.out}`,
      };
    },
  );
}

export function addH5(group: Command, io: Io): void {
  interface H5Options extends RangeOptions, OutOptions {
    readonly flagged?: boolean;
    readonly addTo?: string;
    readonly replace?: boolean;
  }
  declare<H5Options, [number]>(
    group,
    io,
    "h5",
    "write edges of the user database to an HDF5 file (OutputTMAH5FromUDB), or add them to a stored run (H5AddTMAUDB)",
    (command) =>
      withRange(command.argument("<id>", "TMA id", parseWhole))
        .option("--flagged", "keep the edges that have a flag; without it they are NaN")
        .option("-o, --out <file>", "HDF5 file to write", "tma.h5")
        .option("--add-to <file>", "file in the DataConvert layout to add them to, with --run")
        .option("--replace", "write over those that were added before"),
    async (session, options, [id]) => {
      using db = TimingDb.open(options.db);
      const { addTo, run, out = "tma.h5", replace = false } = options;
      const edges = storedEdges(db, id, await rangeOf(session, options, db.hightags(id)), options.flagged === true);
      if (addTo === undefined) return await writeEdges(edges, id, out);
      if (run === undefined) throw new SaclaError("BAD_ARGUMENT", "Say which run of the file: --run.");
      return await addEdges(edges, id, db.config(id).bl, addTo, run, replace);
    },
  );
}

/** Edges of the user database as columns: a number for each of `tags`, NaN where there is none. */
interface StoredEdges {
  readonly tags: readonly number[];
  readonly usable: readonly boolean[];
  readonly derivativePx: Float64Array;
  readonly fittingPx: Float64Array;
  readonly errorPx: Float64Array;
  readonly comment: string;
  /** How many are there. */
  readonly found: number;
}

function storedEdges(db: TimingDb, id: number, range: TmaRange, flagged: boolean): StoredEdges {
  const rows = db.rows(id, range);
  const { comment, derivativePx, fittingPx } = db.edges(id, range, flagged);
  return {
    tags: rows.map(({ tag }) => tag),
    usable: rows.map(({ usable }) => usable),
    derivativePx: Float64Array.from(derivativePx),
    fittingPx: Float64Array.from(fittingPx),
    errorPx: Float64Array.from(rows, (row) => (row.usable || flagged ? row.errorPx : NaN)),
    comment,
    found: fittingPx.filter(Number.isFinite).length,
  };
}

async function writeEdges(edges: StoredEdges, id: number, file: string): Promise<CommandResult> {
  const { tags, usable, derivativePx, fittingPx, errorPx, comment, found } = edges;
  const columns = {
    tag_number: Uint32Array.from(tags),
    timing_edge_derivative: derivativePx,
    timing_edge_fitting: fittingPx,
    timing_edge_error: errorPx,
    usable: Uint8Array.from(usable, Number),
  };
  await writeColumns(file, columns, { comment });
  return {
    json: { tmaid: id, file, shots: tags.length, edges: found },
    text: `${counted(tags.length, "shot")}, ${found} with an edge, written to ${file}`,
  };
}

async function addEdges(
  { tags, derivativePx, fittingPx, errorPx, found }: StoredEdges,
  id: number,
  bl: number,
  file: string,
  run: number,
  replace: boolean,
): Promise<CommandResult> {
  const signal = (name: string, values: Float64Array): AddedSignal => ({
    equipId: `bl_${bl}/tma_${id}/timing_edge_${name}_in_pixel`,
    unit: "pixel",
    tags,
    values,
  });
  const columns = [signal("derivative", derivativePx), signal("fitting", fittingPx), signal("error", errorPx)];
  const { shots } = await addSignals(file, run, columns, { replace });
  const names = columns.map(({ equipId }) => equipId);
  return {
    json: { tmaid: id, file, run, shots, edges: found, signals: names },
    text: `${counted(found, "edge")} added to ${counted(shots, "shot")} of run ${run} in ${file}:\n${names.join("\n")}`,
  };
}
