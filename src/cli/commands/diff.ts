import type { Image } from "../../core/ndarray.ts";
import { defined } from "../../core/options.ts";
import { quantity, quantityWithError } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import { fProbability } from "../../core/special-functions.ts";
import { monitorOf } from "../../db/beam-monitor.ts";
import type { Run } from "../../db/index.ts";
import type { View } from "../../ip/index.ts";
import { textTable } from "../../plot/text.ts";
import type { DifferencePicture } from "../../reduce/index.ts";
import { type DetectorArguments, fileStem, ledgerLine, withRunAndDetector } from "../average-run.ts";
import { pixelUnit, whenAndWhere } from "../caption.ts";
import {
  type ChoiceOptions,
  chooseDark,
  chooseShots,
  type DarkOptions,
  darkWords,
  withChoice,
  withDark,
} from "../choices.ts";
import { type AddCommand, declare, findDetector, findRun } from "../command.ts";
import { checkFolder, type Io } from "../io.ts";
import { drawPicture, type PictureText, type PngOptions, viewWords, withPngOptions, withView } from "../picture.ts";

interface Options extends ChoiceOptions, DarkOptions, PngOptions {
  readonly commonMode?: boolean;
  /** False: `--no-normalise`. */
  readonly normalise?: string | false;
  readonly pair?: boolean;
  readonly view: View;
}

/** `sacla diff RUN DETECTOR`: pumped less unpumped, normalised, with its error map and its significance. */
export const diff: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "diff",
    "pumped less unpumped shots as one picture, normalised by the beam monitor, with error map and significance",
    (command) =>
      withView(
        withPngOptions(withDark(withChoice(withRunAndDetector(command), "pumped and unpumped")))
          .option("--normalise <signal>", "intensity monitor (default: the run's first beam monitor)")
          .option("--no-normalise", "do not normalise")
          .option("--pair", "only pumped shots with an unpumped one within a second, and those")
          .option("--common-mode", "take off what the pixels of each readout port drift together, image by image"),
      ),
    async (session, options, [number, id]) => {
      const { signal, facility } = session;
      if (options.out !== undefined) checkFolder(options.out);
      const run = await findRun(session, number);
      const detector = await findDetector(run, id);
      const chosen = await chooseShots(session, run, options, "all");
      const dark = await chooseDark(session, run, [detector.id], options);
      const normaliseBy =
        options.normalise === false ? undefined : (options.normalise ?? (await monitorOf(run, signal)) ?? undefined);
      const found = await session.progress(`run ${run.number} ${detector.id}`, async (update) =>
        facility.difference({
          run,
          detector,
          dark,
          tags: chosen.tags,
          view: options.view,
          ...defined({ normaliseBy, commonMode: options.commonMode, limit: options.limit }),
          ...(options.pair === true ? { pair: {} } : {}),
          signal,
          onProgress: (_, done, total) => update(done, total),
        }),
      );
      const how = howWords(found, options, darkWords(run, dark, found.done.dark?.shots));
      const stem = options.out?.replace(/\.png$/i, "") ?? fileStem(run, detector, "difference");
      const title = `${detector.id}, run ${run.number}`;
      const unit = await pixelUnit(session, run, detector);
      const lines = [how, await whenAndWhere(session, run)];
      const files = await writePictures(io, found, options, stem, { title, lines, unit });
      const judged = judge(found);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detector: detector.id,
          on: { shots: found.on.tags.length, monitor: found.on.monitor },
          off: { shots: found.off.tags.length, monitor: found.off.monitor },
          done: found.done,
          ...judged,
          pictures: files,
          ledger: found.ledger,
        },
        text: [
          ...answer(found, judged, await unitOf(run, found, signal), unit),
          how,
          Object.values(files).join(", "),
          ledgerLine(found.ledger),
        ].join("\n"),
      };
    },
  );

/** Difference, standard error and significance as three pictures: their files. */
async function writePictures(
  io: Io,
  { image, error, significance, axes, on, off }: DifferencePicture,
  options: Options,
  stem: string,
  says: PictureText,
): Promise<Record<string, string>> {
  const counts = `${on.tags.length} on − ${off.tags.length} off`;
  const draw = async (
    picture: Image,
    what: string,
    end: string,
    colours: Partial<PngOptions>,
    text: Partial<PictureText> = {},
  ): ReturnType<typeof drawPicture> =>
    await drawPicture(picture, { ...options, ...colours, out: `${stem}${end}.png` }, "", {
      ...says,
      title: `${says.title}: ${what}, ${counts}`,
      positions: axes ?? undefined,
      ...text,
    });
  const difference = { colourMap: "difference" as const, log: false };
  const sigmas = { ...difference, range: [-6, 6] as [number, number] };
  // Each is packed while the next is drawn.
  const drawn = await Promise.all([
    draw(image, "pumped − unpumped", "", difference),
    draw(error, "standard error", "-error", { range: undefined }, { isWhole: true }),
    draw(significance, "significance", "-significance", sigmas, { unit: "σ", isWhole: true }),
  ]);
  for (const { file, png } of drawn) io.writeFile(file, png);
  const [differing, erring, significant] = drawn;
  return { difference: differing.file, error: erring.file, significance: significant.file };
}

function howWords({ done, axes }: DifferencePicture, { view }: Options, dark: string): string {
  return [
    done.normaliseBy === null ? "not normalised" : `normalised by ${done.normaliseBy}`,
    dark,
    ...(axes === null ? [] : [viewWords(view)]),
    ...(done.pairs === null ? [] : [`paired: ${done.pairs}`]),
  ].join(", ");
}

async function unitOf(run: Run, { done, on }: DifferencePicture, signal: AbortSignal): Promise<string> {
  if (done.normaliseBy === null) return "";
  return (await run.column(done.normaliseBy, on.tags.slice(0, 1), { signal })).unit;
}

interface Judged {
  /** Pixels with an error. */
  readonly pixels: number;
  /** Of these, how many are beyond ±5 standard errors, and how many are by chance. */
  readonly beyondFive: number;
  readonly byChance: number;
  readonly strongest: readonly Spot[];
}
interface Spot {
  readonly column: number;
  readonly row: number;
  readonly value: number;
  readonly error: number;
  readonly significance: number;
}

const SIGMAS = 5;
/** Spots of the list are further apart than this, in pixels. */
const APART = 20;

function judge({ image, error, significance, on, off }: DifferencePicture): Judged {
  const columns = significance.shape[1] ?? 1;
  const found: Spot[] = [];
  let [pixels, beyondFive] = [0, 0];
  for (let i = 0; i < significance.data.length; i++) {
    const z = significance.data[i] ?? NaN;
    if (!Number.isFinite(z)) continue;
    pixels++;
    if (Math.abs(z) < SIGMAS) continue;
    beyondFive++;
    found.push({
      column: i % columns,
      row: Math.floor(i / columns),
      value: image.data[i] ?? NaN,
      error: error.data[i] ?? NaN,
      significance: z,
    });
  }
  found.sort((a, b) => Math.abs(b.significance) - Math.abs(a.significance));
  const strongest: Spot[] = [];
  for (const spot of found) {
    if (strongest.length === 5) break;
    if (strongest.every((other) => Math.hypot(other.row - spot.row, other.column - spot.column) > APART))
      strongest.push(spot);
  }
  // Student's distribution: errors from few shots are uncertain themselves.
  const freedom = Math.max(1, on.tags.length + off.tags.length - 2);
  return { pixels, beyondFive, byChance: fProbability(SIGMAS ** 2, 1, freedom) * pixels, strongest };
}

function answer(
  { on, off, done }: DifferencePicture,
  { pixels, beyondFive, byChance, strongest }: Judged,
  monitorUnit: string,
  unit: string,
): string[] {
  const monitors =
    on.monitor === null || off.monitor === null
      ? ""
      : `; mean I0 ${quantity(on.monitor, monitorUnit)} on, ${quantity(off.monitor, monitorUnit)} off`;
  const beyond = `${beyondFive} of ${pixels} pixels beyond ±${SIGMAS}σ, by chance ${quantity(byChance, "", 2)}`;
  const isMore = beyondFive > 10 * byChance;
  // Pixels with few photons scatter unevenly, so a few more than by chance may be no effect.
  const isReal = isMore && beyondFive > 10;
  // The scatter of the shots of a class tells their error: one shot has none.
  const few = Math.min(on.tags.length, off.tags.length) < 2;
  const verdict = few
    ? "no errors and no significance: they need at least 2 pumped and 2 unpumped shots"
    : isReal
      ? `pumped and unpumped shots differ: ${beyond}`
      : isMore
        ? `more pixels differ than by chance, but hot pixels or pixels with few photons may explain so few: ${beyond}`
        : `no single pixel differs significantly: ${beyond}; what is spread over many shows in sums of regions`;
  const rows = strongest.map(({ column, row, value, error, significance }) => [
    column,
    row,
    quantityWithError(value, error, unit),
    significance.toFixed(1),
  ]);
  return [
    `${on.tags.length} pumped − ${counted(off.tags.length, "unpumped shot")}, ${done.view ?? "no"} view${monitors}`,
    verdict,
    ...(rows.length === 0 ? [] : [textTable(["column", "row", "on − off", "σ"], rows)]),
  ];
}
