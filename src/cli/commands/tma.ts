import { type Command, InvalidArgumentError } from "commander";
import { isCamera } from "../../core/detector-families.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import type { Shot, ShotStream } from "../../core/shots.ts";
import { counted } from "../../core/show.ts";
import { BEAM_MONITOR_DARK_COULOMB, formatTimingCsv, type Run } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import {
  calibrateTiming,
  EdgeFinder,
  findEdges,
  learnEdges,
  type ShotEdge,
  TimingDb,
  type TmaFinder,
  xraysBySignal,
} from "../../timing/index.ts";
import {
  type AddCommand,
  type CommandResult,
  declare,
  declareSubcommands,
  findRun,
  parseNumber,
  parseWhole,
  runArgument,
  type Session,
} from "../command.ts";
import type { Io } from "../io.ts";
import { addCsv, addH5 } from "../tma-output.ts";
import { type DbOptions, type RangeOptions, rangeOf, withDb, withRange } from "../tma-range.ts";

interface CreateOptions extends DbOptions {
  readonly camera?: string;
  readonly xrays?: string;
  readonly least: number;
  readonly axis: "columns" | "rows";
  readonly comment?: string;
}

/** Rows written at once: an analysis that is broken off keeps what it has written. */
const BATCH = 200;

/** `sacla tma RUN -o tma.csv`: edges of the timing monitor; its subcommands work on a user database. */
export const tma: AddCommand = (program, io) => {
  declare<{ readonly out?: string }, [number | "newest"]>(
    program,
    io,
    "tma",
    "timing edges of a run in the form of the facility's CSV, or find them: create, run, csv, h5, scale, list, delete",
    (command) => command.addArgument(runArgument()).option("-o, --out <file>", "write them to a CSV file"),
    async (session, { out }, [number]) => {
      const run = await findRun(session, number);
      const edges = await run.timingEdges({ signal: session.signal }).catch((error: unknown) => {
        if (!isSaclaError(error, "UNSUPPORTED")) throw error;
        const { message, details } = error;
        const find = `Or find them on the camera's images: sacla tma create ${run.number}, then sacla tma run ID RUN.`;
        throw new SaclaError("UNSUPPORTED", `${message} ${find}`, { details, cause: error });
      });
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
          out === undefined
            ? text.trimEnd()
            : `${counted(edges.tags.length, "shot")}, ${found} with an edge, written to ${out}`,
      };
    },
  );
  declareSubcommands(program, io, "tma", [addCreate, addRun, addCsv, addH5, addScale, addList, addDelete]);
};

function addCreate(group: Command, io: Io): void {
  declare<CreateOptions, [number | "newest"]>(
    group,
    io,
    "create",
    "learn from a run how its edges look, and keep that as a new TMA id (CreateTMAID)",
    (command) =>
      withDb(command.addArgument(runArgument()))
        .option("--camera <id>", "camera of the timing monitor (default: the run's only one that begins with OPAL)")
        .option("--xrays <signal>", "0-D signal that tells whether X-rays came (default: charge of BM1)")
        .option(
          "--least <value>",
          "from this value of the signal on there were X-rays",
          parseNumber,
          BEAM_MONITOR_DARK_COULOMB,
        )
        .option("--axis <axis>", "along what time runs: columns or rows", parseAxis, "columns")
        .option("--comment <text>", "what to remember it by"),
    async (session, options, [number]) => {
      const run = await findRun(session, number);
      const camera = options.camera ?? (await cameraOf(run));
      const xrays = options.xrays ?? `xfel_bl_${run.bl}_tc_bm_1_pd/charge`;
      const { least, axis, comment } = options;
      const finder = await session.progress(`learning from run ${run.number}`, async (update) =>
        learnEdges(reported(shotsOf(session, run, camera, [xrays]), update), {
          camera,
          xrays: xraysBySignal(xrays, least),
          finderOptions: { axis },
          signal: session.signal,
        }),
      );
      const { summary } = finder;
      using db = TimingDb.open(options.db, true);
      const configuration: TmaFinder = { finder: finder.toJSON(), xrays, least, run: run.number };
      const id = db.create({ bl: run.bl, camera, comment, configuration });
      const fringes = summary.fringePeriodsPx.map((period) => period.toFixed(1)).join(", ");
      return {
        json: { tmaid: id, db: options.db, bl: run.bl, run: run.number, camera, xrays, least, ...summary },
        text: [
          `TMA id ${id} in ${options.db}`,
          `edge ${summary.widthPx.toFixed(1)} px wide (rms), dark at ${summary.darkSide} pixels, ` +
            `lines ${summary.lines.join("–")}, fringes of ${fringes || "no"} px`,
          `learnt from ${summary.laserOnlyShots} laser-only shots and ${summary.edges} edges`,
        ].join("\n"),
      };
    },
  );
}

function addRun(group: Command, io: Io): void {
  declare<DbOptions, [number, number | "newest"]>(
    group,
    io,
    "run",
    "find the edges of a run and write them to the user database; rows that are there are replaced",
    (command) => withDb(command.argument("<id>", "TMA id", parseWhole).addArgument(runArgument())),
    async (session, options, [id, number]) => {
      using db = TimingDb.open(options.db);
      const { camera, configuration } = db.config(id);
      const { finder: state, xrays, least } = configuration as TmaFinder;
      const run = await findRun(session, number);
      const finder = EdgeFinder.fromJSON(state);
      const shots = shotsOf(session, run, camera, [xrays]);
      const counts: Record<string, number> = {};
      let [all, usable] = [0, 0];
      await session.progress(`run ${run.number}`, async (update) => {
        let batch: ShotEdge[] = [];
        const flush = (): void => {
          db.put(id, run.hightag, batch);
          batch = [];
        };
        const found = findEdges(reported(shots, update), {
          camera,
          xrays: xraysBySignal(xrays, least),
          finder,
          signal: session.signal,
        });
        for await (const shot of found) {
          batch.push(shot);
          all++;
          if (shot.edge?.usable === true) usable++;
          for (const flag of shot.xrays ? (shot.edge?.flags ?? []) : ["no-xrays"])
            counts[flag] = (counts[flag] ?? 0) + 1;
          if (batch.length >= BATCH) flush();
        }
        flush();
      });
      const flags = Object.entries(counts).map(([flag, n]) => `${n} ${flag}`);
      const told = `${counted(all, "shot")}, ${counted(usable, "usable edge")}`;
      return {
        json: { tmaid: id, db: options.db, run: run.number, hightag: run.hightag, shots: all, usable, flags: counts },
        text: flags.length === 0 ? told : `${told}; ${flags.join(", ")}`,
      };
    },
  );
}

function addScale(group: Command, io: Io): void {
  interface ScaleOptions extends RangeOptions {
    readonly stage: string;
    readonly fsPerPulse: number;
    readonly home?: number;
    readonly zero?: number;
  }
  declare<ScaleOptions, [number, number | "newest"]>(
    group,
    io,
    "scale",
    "fs per pixel, quadratic term and backlash from a run in which the timing laser's stage was scanned",
    (command) =>
      withDb(command.argument("<id>", "TMA id", parseWhole).addArgument(runArgument()))
        .option("--stage <signal>", "position of the timing laser's stage", "xfel_bl_3_st_1_motor_73/position")
        .option("--fs-per-pulse <fs>", "time of one pulse of the stage, there and back", parseNumber, 6.671)
        .option("--home <pulse>", "reading of the stage at time 0 (default: the middle of the scan)", parseNumber)
        .option("--zero <px>", "pixel of time 0 (default: where the edge is at home)", parseNumber),
    async (session, options, [id, number]) => {
      const run = await findRun(session, number);
      using db = TimingDb.open(options.db);
      const rows = db.rows(id, await rangeOf(session, { db: options.db, run: run.number }));
      const usable = rows.filter((row) => row.usable);
      const column = await run.column(
        options.stage,
        usable.map(({ tag }) => tag),
        { signal: session.signal },
      );
      const points = usable.map(({ fittingPx }, i) => ({ pulse: column.values[i] ?? NaN, edgePx: fittingPx }));
      const found = calibrateTiming(
        points.filter(({ pulse }) => Number.isFinite(pulse)),
        { fsPerPulse: options.fsPerPulse, homePulse: options.home, zeroPx: options.zero },
      );
      const value = (name: string, at: number, error: number, unit: string): string =>
        `${name} ${Number(at.toPrecision(5))} ± ${Number(error.toPrecision(2))} ${unit}`;
      return {
        json: { tmaid: id, run: run.number, ...found },
        text: [
          value("scale", found.fsPerPixel, found.fsPerPixelError, `fs/px at ${found.zeroPx.toFixed(1)} px`),
          value("quadratic", found.quadratic, found.quadraticError, "fs/px²"),
          Number.isNaN(found.backlashPulse)
            ? "backlash not known: the scan went one way only"
            : value("backlash", found.backlashPulse, found.backlashPulseError, "pulses"),
          `jitter ${found.jitterFs.toFixed(1)} fs; ${counted(found.used, "shot")} used, ${found.leftOut} left out`,
        ].join("\n"),
      };
    },
  );
}

function addList(group: Command, io: Io): void {
  declare<DbOptions, []>(
    group,
    io,
    "list",
    "list the TMA ids of the user database",
    withDb,
    async (_session, options) => {
      using db = TimingDb.open(options.db);
      const all = db.list();
      const rows = all.map(({ id, bl, camera, created, shots, comment }) => [
        String(id),
        String(bl),
        camera,
        created,
        String(shots),
        comment,
      ]);
      return {
        json: all.map(({ configuration: _, ...one }) => one),
        text: all.length === 0 ? "no TMA id" : textTable(["id", "bl", "camera", "created", "shots", "comment"], rows),
      };
    },
  );
}

function addDelete(group: Command, io: Io): void {
  declare<RangeOptions & { readonly rows?: boolean }, [number]>(
    group,
    io,
    "delete",
    "delete a TMA id with its edges (DeleteTMAID), or with --rows only edges (DeleteTMAUDB)",
    (command) =>
      withRange(command.argument("<id>", "TMA id", parseWhole)).option(
        "--rows",
        "keep the id; delete all its edges, or those of --run or --hightag, --start and --end",
      ),
    async (session, options, [id]): Promise<CommandResult> => {
      using db = TimingDb.open(options.db);
      const isPart = options.run !== undefined || options.hightag !== undefined;
      if (options.rows !== true && isPart)
        throw new SaclaError("BAD_ARGUMENT", "A whole TMA id is deleted without a range; for edges alone say --rows.");
      const deleted =
        options.rows === true ? db.deleteRows(id, isPart ? await rangeOf(session, options) : undefined) : db.delete(id);
      return {
        json: { tmaid: id, deleted, id: options.rows === true ? "kept" : "deleted" },
        text:
          options.rows === true
            ? `${counted(deleted, "edge")} deleted`
            : `TMA id ${id} deleted with ${counted(deleted, "edge")}`,
      };
    },
  );
}

function parseAxis(text: string): "columns" | "rows" {
  if (text !== "columns" && text !== "rows") throw new InvalidArgumentError("It must be columns or rows.");
  return text;
}

/** @throws UNKNOWN_DETECTOR when there is not just one camera */
async function cameraOf(run: Run): Promise<string> {
  const ids = (await run.detectors()).map(({ id }) => id);
  const cameras = ids.filter(isCamera);
  const [only, ...others] = cameras;
  if (only !== undefined && others.length === 0) return only;
  throw new SaclaError(
    "UNKNOWN_DETECTOR",
    `Run ${run.number} has ${cameras.length === 0 ? "no camera" : `the cameras ${cameras.join(", ")}`} among ` +
      `${ids.join(", ")}; say which with --camera.`,
  );
}

function shotsOf({ facility, signal }: Session, run: Run, camera: string, signals: readonly string[]): ShotStream {
  return facility.shots({ run, detectors: [camera], signals, signal });
}

async function* reported(
  shots: ShotStream,
  update: (done: number, total: number | undefined) => void,
): AsyncGenerator<Shot, void, undefined> {
  const total = await shots.count?.();
  let done = 0;
  for await (const shot of shots) {
    yield shot;
    update(++done, total);
  }
}
