import { Option } from "commander";
import { SaclaError } from "../../core/errors.ts";
import type { AssemblyMethod, View } from "../../ip/index.ts";
import { textTable } from "../../plot/text.ts";
import { correctedMeans, findSpots } from "../../reduce/picture.ts";
import {
  type AverageOptions,
  type DetectorArguments,
  fileStem,
  findSelection,
  ledgerLine,
  pictureOf,
  withAverageOptions,
  withRunAndDetector,
} from "../average-run.ts";
import { captionOf, pixelText } from "../caption.ts";
import { type AddCommand, declare } from "../command.ts";
import { type PngOptions, viewWords, withPngOptions, withView, writePicture } from "../picture.ts";

interface Options extends AverageOptions, PngOptions {
  readonly view: View;
  readonly method: AssemblyMethod;
}

/** `sacla assemble RUN DETECTOR`: the average of a run as one picture. */
export const assemble: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "assemble",
    "average a run and assemble the sensors into one picture",
    (command) =>
      withView(withPngOptions(withAverageOptions(withRunAndDetector(command)))).addOption(
        new Option("--method <method>", "nearest pixel, or shared out by area")
          .choices(["nearest", "area"])
          .default("nearest"),
      ),
    async (session, options, args) => {
      const selection = await findSelection(session, options, args);
      const { run, detector } = selection;
      const { view, method, commonMode, limit } = options;
      const { assembler, image, axes, sensors, tags, ledger } = await pictureOf(session, selection, {
        view,
        method,
        commonMode,
        limit,
      });
      if (assembler === null)
        throw new SaclaError(
          "BAD_GEOMETRY",
          `${detector.id} has no geometry to assemble; use: sacla average ${run.number} ${detector.id}`,
        );
      const brightest = findSpots(assembler, image, correctedMeans(sensors));
      const counts = { dark: tags.dark.length, exposed: tags.shots.length };
      const says = await captionOf(session, selection, counts);
      const written = await writePicture(io, image, options, fileStem(run, detector, "assembled"), {
        title: says.title,
        lines: [`${says.lines[0]}, ${viewWords(view)}`, ...says.lines.slice(1)],
        unit: says.unit,
        positions: axes ?? undefined,
      });
      const rows = brightest.map(({ column, row, value }) => [column, row, pixelText(value, says.unit)]);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detector: detector.id,
          view,
          method,
          width: assembler.width,
          height: assembler.height,
          unit: says.unit,
          brightest,
          picture: written,
          ledger,
        },
        text:
          `${textTable(["column", "row", says.unit], rows)}\n${written.file} (${assembler.width} ` +
          `× ${assembler.height}, ${view} view)\n${says.title}, ${says.lines[0]}\n${ledgerLine(ledger)}`,
      };
    },
  );
