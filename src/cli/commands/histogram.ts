import { histogramPlot, textTable } from "../../plot/index.ts";
import { sumHistograms } from "../../reduce/picture.ts";
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
import { captionOf } from "../caption.ts";
import { type AddCommand, declare, parseFileName } from "../command.ts";

interface Options extends AverageOptions {
  readonly out?: string;
}

/** `sacla histogram RUN DETECTOR`: how often each value of a pixel occurs; the second peak is a single photon. */
export const histogram: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "histogram",
    "histogram of the dark-subtracted pixel values of a run, as an SVG plot",
    (command) =>
      withAverageOptions(withRunAndDetector(command)).option(
        "-o, --out <file>",
        "SVG file to write (default: named after run and detector)",
        parseFileName(".svg"),
      ),
    async (session, options, args) => {
      const selected = await findSelection(session, options, args);
      const { run, detector, sensors, tags, ledger } = await averageRun(session, options, selected);
      const shots = { dark: tags.dark.length, exposed: tags.exposed.length };
      const says = await captionOf(session, selected, shots, "values of the pixels");
      const { from, counts } = sumHistograms(sensors);
      const file = options.out ?? `${fileStem(run, detector, "histogram")}.svg`;
      io.writeFile(
        file,
        histogramPlot(counts, { from, title: says.title, lines: says.lines, xLabel: says.unit, yLabel: "pixels" }),
      );
      const rows = sensors.map(({ id, histogram: h }) => [
        id,
        h.counts.reduce((a, b) => a + b, 0),
        h.under,
        h.over,
        h.from + h.counts.indexOf(Math.max(...h.counts)),
      ]);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          detector: detector.id,
          unit: says.unit,
          sensors: sensors.map(({ id, histogram: { counts: n, ...rest } }) => ({
            id,
            histogram: { ...rest, counts: [...n] },
          })),
          file,
          ledger,
        },
        text: [
          textTable(["sensor", "pixels counted", "below", "above", `peak ${says.unit}`], rows),
          file,
          `${says.title}, ${says.lines[0]}`,
          ledgerLine(ledger),
        ].join("\n"),
      };
    },
  );
