import { SaclaError, showList } from "../../core/errors.ts";
import { asImage, type Image, type RawImage, shapeOf } from "../../core/ndarray.ts";
import type { Run, RunTags } from "../../db/index.ts";
import { writePictureFile } from "../../hdf5/index.ts";
import { darkMean } from "../../reduce/dark-average.ts";
import { assemblerFor, type Dark, darkOf, subtractDark } from "../../reduce/index.ts";
import { axesOf, summarise } from "../../reduce/picture.ts";
import { type DetectorArguments, fileStem, withRunAndDetector } from "../average-run.ts";
import { captionOf } from "../caption.ts";
import {
  type ChoiceOptions,
  type Chosen,
  chooseDark,
  chooseShots,
  type DarkOptions,
  withChoice,
  withDark,
} from "../choices.ts";
import { type AddCommand, declare, findDetector, findRun, parseWhole } from "../command.ts";
import { type PngOptions, withPngOptions, writePicture } from "../picture.ts";

interface Options extends PngOptions, ChoiceOptions, DarkOptions {
  readonly tag?: number;
}

/** `sacla image RUN DETECTOR`: the image of one shot; several sensors are assembled. */
export const image: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "image",
    "write the image of one shot as a PNG, or as numbers (-o FILE.h5); the sensors of a detector are assembled (seen " +
      "from the source)",
    (command) =>
      withPngOptions(
        withDark(
          withChoice(withRunAndDetector(command), "all").option(
            "--tag <tag>",
            "tag of the shot (default: the last of those chosen)",
            parseWhole,
          ),
        ),
      ),
    async (session, options, [number, id]) => {
      const { st } = session.facility;
      const { signal } = session;
      const run = await findRun(session, number);
      const detector = await findDetector(run, id);
      const chosen: Chosen = await chooseShots(session, run, options, "all");
      const tag = options.tag ?? (await newestShot(run, detector.id, chosen.tags, signal));
      const darkFrom = await chooseDark(session, run, [detector.id], options);
      const images: Record<string, RawImage> = {};
      for await (const shot of st.shots({ run, detectors: detector.sensors, tags: [tag], missing: "error", signal }))
        Object.assign(images, shot.images);
      let darkShots = 0;
      if (darkFrom !== "none") {
        const darkRun = darkFrom === "head" ? run : darkFrom;
        const tags = (await darkRun.darkTags(undefined, { signal })).slice(0, options.limit);
        const dark = await session.progress("dark", (update) =>
          darkMean(st.shots({ run: darkRun, detectors: detector.sensors, tags, signal }), { onProgress: update }),
        );
        darkShots = dark.ledger.used;
        for (const [sensor, raw] of Object.entries(images)) images[sensor] = withoutDark(dark, sensor, raw);
      }
      const infos = await Promise.all(
        detector.sensors.map(async (sensor) => await run.detectorInfo(sensor, { signal })),
      );
      const assembler =
        detector.sensors.length > 1 ? await assemblerFor(run, infos, "source", "nearest", signal) : null;
      if (assembler === null && detector.sensors.length > 1)
        throw new SaclaError(
          "BAD_GEOMETRY",
          `${detector.id} has no geometry to assemble; name one of its sensors: ${showList(detector.sensors)}.`,
        );
      const picture = assembler?.assemble(images) ?? Object.values(images)[0];
      if (picture === undefined) throw new SaclaError("NO_SHOTS", `Detector ${detector.id} has no sensor.`);
      const selected = { run, detector, dark: darkFrom, chosen };
      const says = await captionOf(session, selected, { dark: darkShots, exposed: 1 });
      const positions = assembler === null ? undefined : axesOf(assembler);
      let written: { readonly file: string };
      if (options.out !== undefined && /\.(h5|hdf5)$/i.test(options.out)) {
        const dark = darkFrom === "none" ? null : (darkFrom === "head" ? run : darkFrom).number;
        const about = { bl: run.bl, run: run.number, hightag: run.hightag, tag, detId: detector.id, shots: 1, dark };
        await writePictureFile(options.out, picture, positions ?? null, { ...about, unit: says.unit });
        written = { file: options.out };
      } else
        written = await writePicture(io, picture, options, fileStem(run, detector, String(tag)), {
          title: `${detector.id}, run ${run.number}, tag ${tag}`,
          lines: says.lines,
          unit: says.unit,
          positions,
        });
      const sensors = Object.entries(images).map(([sensor, pixels]) => ({ id: sensor, ...summarise(pixels) }));
      return {
        json: {
          bl: run.bl,
          run: run.number,
          tag,
          detector: detector.id,
          sensors,
          view: assembler?.view ?? null,
          picture: written,
        },
        text: `tag ${tag} of run ${run.number}, ${says.lines[0]}: ${written.file}`,
      };
    },
  );

/** The newest shot with an image of every sensor; the newest where there is none, whose error says why. */
async function newestShot(run: Run, detId: string, tags: RunTags, signal: AbortSignal | undefined): Promise<number> {
  const whole = await run.tags({ detector: detId, signal });
  return tags.values.findLast((tag) => whole.has(tag)) ?? tags.at(-1) ?? NaN;
}

function withoutDark(dark: Pick<Dark, "mean">, sensor: string, raw: RawImage): Image {
  const [rows, columns] = shapeOf(sensor, raw);
  const corrected = asImage(new Float32Array(rows * columns), rows, columns);
  subtractDark(raw.data, darkOf(dark.mean, sensor, rows, columns), corrected.data);
  return corrected;
}
