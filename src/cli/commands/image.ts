import { SaclaError } from "../../core/errors.ts";
import { asImage, type Image, type RawImage, shapeOf } from "../../core/ndarray.ts";
import { assemblerFor, type Dark, darkAverage, darkOf, subtractDark } from "../../reduce/index.ts";
import { summarise } from "../../reduce/picture.ts";
import { type DetectorArguments, fileStem, withRunAndDetector } from "../average-run.ts";
import { type AddCommand, declare, findDetector, findRun, parseWhole } from "../command.ts";
import { type PngOptions, withPngOptions, writePicture } from "../picture.ts";

interface Options extends PngOptions {
  readonly tag?: number;
  readonly dark?: boolean;
}

/** `sacla image RUN DETECTOR`: the image of one shot; several sensors are assembled. */
export const image: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "image",
    "write the image of one shot as a PNG; the sensors of a detector are assembled (seen from the source)",
    (command) =>
      withPngOptions(
        withRunAndDetector(command)
          .option("--tag <tag>", "tag of the shot (default: the last shot)", parseWhole)
          .option("--dark", "subtract the dark shots at the head of the run"),
      ),
    async (session, options, [number, id]) => {
      const { st } = session.facility;
      const { signal } = session;
      const run = await findRun(session, number);
      const detector = await findDetector(run, id);
      const tag = options.tag ?? (await run.tags({ signal })).at(-1);
      if (tag === undefined) throw new SaclaError("NO_SHOTS", `Run ${run.number} has no shots.`);
      const images: Record<string, RawImage> = {};
      for await (const shot of st.shots({ run, detectors: detector.sensors, tags: [tag], missing: "error", signal }))
        Object.assign(images, shot.images);
      if (options.dark === true) {
        const tags = await run.darkTags(undefined, { signal });
        const dark = await session.progress("dark", (update) =>
          darkAverage(st.shots({ run, detectors: detector.sensors, tags, signal }), { onProgress: update }),
        );
        for (const [sensor, raw] of Object.entries(images)) images[sensor] = withoutDark(dark, sensor, raw);
      }
      const infos = await Promise.all(
        detector.sensors.map(async (sensor) => await run.detectorInfo(sensor, { signal })),
      );
      const assembler =
        detector.sensors.length > 1 ? await assemblerFor(st, run, infos, "source", "nearest", signal) : null;
      const picture = assembler?.assemble(images) ?? Object.values(images)[0];
      if (picture === undefined) throw new SaclaError("NO_SHOTS", `Detector ${detector.id} has no sensor.`);
      const written = writePicture(
        io,
        picture,
        options,
        fileStem(run, detector, String(tag)),
        `${detector.id}, run ${run.number}, tag ${tag}`,
      );
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
        text: `tag ${tag} of run ${run.number}: ${written.file}`,
      };
    },
  );

function withoutDark(dark: Dark, sensor: string, raw: RawImage): Image {
  const [rows, columns] = shapeOf(sensor, raw);
  const corrected = asImage(new Float32Array(rows * columns), rows, columns);
  subtractDark(raw.data, darkOf(dark.mean, sensor, rows, columns), corrected.data);
  return corrected;
}
