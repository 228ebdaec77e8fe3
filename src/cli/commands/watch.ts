import { Detectors } from "../../core/detectors.ts";
import { isSaclaError, toSaclaError } from "../../core/errors.ts";
import { defined } from "../../core/options.ts";
import { meanOf } from "../../core/point-errors.ts";
import { oneLine } from "../../core/printable.ts";
import { quantityWithError } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import { monitorOf } from "../../db/beam-monitor.ts";
import type { Run } from "../../db/index.ts";
import type { View } from "../../ip/index.ts";
import type { Picture } from "../../reduce/picture.ts";
import { type AverageOptions, fileStem, pictureOf, withAverageOptions } from "../average-run.ts";
import { captionOf } from "../caption.ts";
import { chooseDark, chooseShots } from "../choices.ts";
import { type AddCommand, declare, findDetector, parseCount, type Session } from "../command.ts";
import { type PngOptions, viewWords, withPngOptions, withView, writePicture } from "../picture.ts";

interface Options extends AverageOptions, PngOptions {
  readonly runs?: number;
  readonly view: View;
  readonly json?: boolean;
}

/** What is told of one run. */
interface Seen {
  readonly run: number;
  readonly start: string;
  readonly shots: number;
  readonly monitor: {
    readonly name: string;
    readonly mean: number;
    readonly error: number;
    readonly unit: string;
  } | null;
  readonly meanAdu: number;
  readonly maxAdu: number;
  readonly unit: string;
  readonly picture: string;
  readonly how: string;
}

/** `sacla watch [DETECTOR]`: each run as it ends, as a line of a table and a picture; until Ctrl+C. */
export const watch: AddCommand = (program, io) =>
  declare<Options, [string | undefined]>(
    program,
    io,
    "watch",
    "follow the runs: for each as it ends a line of a table and its picture; until Ctrl+C",
    (command) =>
      withView(
        withPngOptions(
          withAverageOptions(
            command.argument("[detector]", "detector or sensor (default: the one with the most sensors)"),
          ).option("--runs <count>", "stop after so many runs", parseCount),
        ),
      ),
    async (session, options, [detector]) => {
      const { facility, bl, signal } = session;
      if (detector !== undefined) await checkDetector(session, detector);
      const all: (Seen | { readonly run: number; readonly error: string })[] = [];
      if (options.json !== true)
        io.out(`${row(["run", "start", "shots", "beam monitor", "mean", "max", "unit", "picture"])}\n`);
      try {
        for await (const run of facility.runs({ bl, follow: true, signal })) {
          const seen = await look(session, options, run, detector);
          all.push(seen);
          if (options.json === true) io.out(`${JSON.stringify(seen)}\n`);
          else io.out(`${"error" in seen ? `${run.number}  ${oneLine(seen.error)}` : lineOf(seen)}\n`);
          if (all.length === options.runs) break;
        }
      } catch (error) {
        // Ctrl+C is how one leaves.
        if (!isSaclaError(error, "ABORTED")) throw error;
      }
      return {
        json: { bl, runs: all.length },
        text: `${counted(all.length, "run")} of beamline ${bl} seen`,
      };
    },
  );

/** How many runs back a detector is looked for before it is waited for. */
const RUNS_BACK = 5;

/** A name that no run here will know would be waited for, for ever. @throws UNKNOWN_DETECTOR */
async function checkDetector({ facility, bl, signal }: Session, name: string): Promise<void> {
  const ids: string[] = [];
  for await (const run of facility.runs({ bl, last: RUNS_BACK, signal }))
    for (const { id, sensors } of await run.detectors({ signal })) ids.push(id, ...sensors);
  try {
    ids.push(...(await facility.live.readDetidlist(bl, { signal })));
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED", "UNKNOWN_METHOD")) throw error;
  }
  // Where nothing has been recorded yet, anything may come.
  if (ids.length > 0) new Detectors(ids, `Beamline ${bl}`, { bl }, facility.endpoint.names).find(name);
}

/** One run. What cannot be read of it is told, and the next one is waited for. @throws ABORTED */
async function look(
  session: Session,
  options: Options,
  run: Run,
  id: string | undefined,
): Promise<Seen | { readonly run: number; readonly error: string }> {
  try {
    const detector = await findDetector(run, id);
    const chosen = await chooseShots(session, run, options, "exposed");
    const selected = { run, detector, chosen, dark: await chooseDark(session, run, [detector.id], options) };
    const { view, commonMode, limit } = options;
    const picture = await pictureOf(session, selected, { view, ...defined({ commonMode, limit }) });
    const counts = { dark: picture.tags.dark.length, exposed: picture.tags.shots.length };
    const says = await captionOf(session, selected, counts);
    const written = await writePicture(session.io, picture.image, options, fileStem(run, detector, "watch"), {
      title: says.title,
      lines: picture.axes === null ? says.lines : [`${says.lines[0]}, ${viewWords(view)}`, ...says.lines.slice(1)],
      unit: says.unit,
      positions: picture.axes ?? undefined,
    });
    return {
      run: run.number,
      start: session.time(run.startTime),
      shots: counts.exposed,
      monitor: await monitorMean(picture, session.signal),
      ...levels(picture),
      unit: says.unit,
      picture: written.file,
      how: says.lines.join("; "),
    };
  } catch (error) {
    if (isSaclaError(error, "ABORTED")) throw error;
    const { code, message } = toSaclaError(error);
    return { run: run.number, error: `${code}: ${message}` };
  }
}

function levels({ image }: Picture): { readonly meanAdu: number; readonly maxAdu: number } {
  let [sum, count, most] = [0, 0, -Infinity];
  for (const value of image.data) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
    if (value > most) most = value;
  }
  return { meanAdu: sum / count, maxAdu: most };
}

async function monitorMean({ run, tags }: Picture, signal: AbortSignal): Promise<Seen["monitor"]> {
  const name = await monitorOf(run, signal);
  if (name === null) return null;
  const column = await run.column(name, tags.shots, { signal });
  const { mean, standardError } = meanOf(column.values);
  return { name, mean, error: standardError, unit: column.unit };
}

function lineOf({ run, start, shots, monitor, meanAdu, maxAdu, unit, picture }: Seen): string {
  const beam = monitor === null ? "–" : quantityWithError(monitor.mean, monitor.error, monitor.unit);
  const [mean, most] =
    unit === "ADU" ? [meanAdu.toFixed(2), maxAdu.toFixed(0)] : [meanAdu.toPrecision(3), maxAdu.toPrecision(3)];
  return row([String(run), start, String(shots), beam, mean, most, unit, picture]);
}

/** Columns of fixed width: the rows come one by one. */
function row(cells: readonly string[]): string {
  const widths = [7, 23, 5, 13, 8, 7, 7];
  return cells
    .map((cell, i) => (i === 1 || i === cells.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
    .join("  ");
}
