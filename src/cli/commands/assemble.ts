import { Option } from "commander";
import { SaclaError } from "../../core/errors.ts";
import type { AssemblyMethod, View } from "../../ip/index.ts";
import { textTable } from "../../plot/index.ts";
import { type AddCommand, declare } from "../command.ts";
import {
  assemblerFor,
  correctedMeans,
  fileStem,
  findSpots,
  type LookArguments,
  type LookOptions,
  ledgerLine,
  look,
  withLookOptions,
  withRunAndDetector,
} from "../look.ts";
import { type PictureOptions, withPictureOptions, writePicture } from "../picture.ts";

interface Options extends LookOptions, PictureOptions {
  readonly view: View;
  readonly method: AssemblyMethod;
}

/** `sacla assemble RUN DETECTOR`: the average of a run as one picture. */
export const assemble: AddCommand = (program, io) =>
  declare<Options, LookArguments>(
    program,
    io,
    "assemble",
    "average a run and assemble the sensors into one picture",
    (command) =>
      withPictureOptions(withLookOptions(withRunAndDetector(command)))
        .addOption(
          new Option("--view <view>", "as seen from the source, or mirrored as DataConvert draws it")
            .choices(["source", "detector"])
            .default("source"),
        )
        .addOption(
          new Option("--method <method>", "nearest pixel, or shared out by area")
            .choices(["nearest", "area"])
            .default("nearest"),
        ),
    async (session, options, args) => {
      const found = await look(session, options, args);
      const { run, detector, sensors, ledger, tags } = found;
      const assembler = await assemblerFor(session, run, sensors, options.view, options.method);
      if (assembler === null)
        throw new SaclaError(
          "BAD_GEOMETRY",
          `${detector.id} has no geometry to assemble; use: sacla average ${run.number} ${detector.id}`,
        );
      const images = correctedMeans(found);
      const picture = assembler.assemble(images);
      const brightest = findSpots(assembler, picture, images);
      const title = `${detector.id}, run ${run.number}, mean of ${tags.exposed.length}, ${options.view} view`;
      const written = writePicture(io, picture, options, fileStem(run, detector, "assembled"), title);
      const rows = brightest.map(({ column, row, value }) => [column, row, value.toFixed(1)]);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detector: detector.id,
          view: options.view,
          method: options.method,
          width: assembler.width,
          height: assembler.height,
          brightest,
          picture: written,
          ledger,
        },
        text: `${textTable(["column", "row", "ADU"], rows)}\n${written.file} (${assembler.width} × ${assembler.height}, ${options.view} view)\n${ledgerLine(ledger)}`,
      };
    },
  );
