import { defined } from "../../core/options.ts";
import { textTable } from "../../plot/text.ts";
import { summarise } from "../../reduce/picture.ts";
import {
  type AverageOptions,
  averageRun,
  type DetectorArguments,
  fileStem,
  findSelection,
  ledgerLine,
  withAverageOptions,
  withRunAndDetector,
} from "../average-run.ts";
import { captionOf, pixelText } from "../caption.ts";
import { type AddCommand, declare } from "../command.ts";
import { type PngOptions, withPngOptions, writePicture } from "../picture.ts";

/** `sacla average RUN DETECTOR`: the dark-subtracted mean of each sensor. */
export const average: AddCommand = (program, io) =>
  declare<AverageOptions & PngOptions, DetectorArguments>(
    program,
    io,
    "average",
    "average the exposed shots of a run, subtract its dark average, write one PNG per sensor",
    (command) => withPngOptions(withAverageOptions(withRunAndDetector(command))),
    async (session, options, args) => {
      const selected = await findSelection(session, options, args);
      const found = await averageRun(session, options, selected);
      const { run, detector, ledger, tags } = found;
      const counts = { dark: tags.dark.length, exposed: tags.exposed.length };
      const says = await captionOf(session, selected, counts);
      const pictured = found.sensors.map(async ({ id, correctedMean, darkMean }) => {
        // One --out cannot name several files: the sensor's number goes before the ending.
        const out =
          options.out === undefined || found.sensors.length === 1
            ? options.out
            : options.out.replace(/(\.png)?$/i, `${id.slice(detector.id.length)}.png`);
        const picture = await writePicture(
          io,
          correctedMean,
          { ...options, ...defined({ out }) },
          fileStem(run, { id }, "average"),
          { ...says, title: says.title.replace(detector.id, id) },
        );
        return {
          id,
          ...summarise(correctedMean),
          darkSum: darkMean === null ? null : summarise(darkMean).sum,
          picture,
        };
      });
      const sensors = await Promise.all(pictured);
      const rows = sensors.map(({ id, sum, max, argmax, picture }) => [
        id,
        pixelText(sum, says.unit),
        pixelText(max, says.unit),
        argmax.join(", "),
        picture.file,
      ]);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detector: detector.id,
          shots: counts,
          unit: says.unit,
          sensors,
          ledger,
        },
        text: [
          textTable(["sensor", `sum ${says.unit}`, `max ${says.unit}`, "at row, column", "picture"], rows),
          `${says.title}, ${says.lines[0]}`,
          ledgerLine(ledger),
        ].join("\n"),
      };
    },
  );
