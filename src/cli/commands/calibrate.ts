import { InvalidArgumentError, Option } from "commander";
import { SaclaError } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import { type Calibrant, calibrate as calibrateRings, toPoni, usable, type View } from "../../ip/index.ts";
import { correctedMeans } from "../../reduce/picture.ts";
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
import { type AddCommand, declare, parseNumber } from "../command.ts";

interface Options extends AverageOptions {
  readonly calibrant: Calibrant;
  readonly energy?: number;
  readonly distance: number;
  readonly centre?: readonly [number, number];
  readonly view: View;
  /** Commander's form of `--no-tilt`. */
  readonly tilt: boolean;
}

/** `sacla calibrate RUN DETECTOR`: beam centre, distance and tilt from powder rings, as a PONI file. */
export const calibrate: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "calibrate",
    "find beam centre, distance and tilt from the powder rings of a run, and write a PONI file",
    (command) =>
      withAverageOptions(withRunAndDetector(command))
        .addOption(
          new Option("--calibrant <powder>", "what makes the rings")
            .choices(["LaB6", "CeO2", "AgBeh"])
            .makeOptionMandatory(),
        )
        .requiredOption("--distance <mm>", "sample to detector, within 20 %", parseNumber)
        .option(
          "--centre <x,y>",
          "where the beam hits, within 5 mm, µm from the middle of the detector (default: 0,0)",
          parsePlace,
        )
        .option("--energy <eV>", "photon energy (default: what the run was configured for)", parseNumber)
        .option("--no-tilt", "the detector stands upright in the beam")
        .addOption(
          new Option("--view <view>", "view of the assembled picture that the PONI file is for")
            .choices(["source", "detector"])
            .default("source"),
        )
        .option("-o, --out <file>", "PONI file to write (default: RUN-DETECTOR-rings.poni)"),
    async (session, options, args) => {
      const selection = await findSelection(session, options, args);
      const { run, detector } = selection;
      const { view, commonMode, limit } = options;
      const { assembler, sensors, ledger } = await pictureOf(session, selection, { view, commonMode, limit });
      if (assembler === null) throw new SaclaError("BAD_GEOMETRY", `${detector.id} has no geometry to calibrate.`);
      const photonEnergyEv = options.energy ?? (await run.photonEnergyEv());
      const { calibrant, distance: distanceMm, centre, tilt } = options;
      const found = calibrateRings(correctedMeans(sensors), {
        sensors: assembler.sensors,
        masks: (await run.badPixels(assembler.sensors)).map(usable),
        calibrant,
        photonEnergyEv,
        distanceMm,
        centreUm: centre === undefined ? undefined : { x: centre[0], y: centre[1] },
        tilt,
      });
      const file = options.out ?? `${fileStem(run, detector, "rings")}.poni`;
      const { width, height, pixelSizeUm } = assembler;
      io.writeFile(file, toPoni(found.geometry, { width, height, pixelSizeUm, view, photonEnergyEv }));
      const { geometry, centreUm, errors, points, rings, outliers } = found;
      const value = (name: string, at: number, error: number, unit: string, digits: number): string =>
        `${name} ${at.toFixed(digits)} ± ${error.toFixed(digits)} ${unit}`;
      return {
        json: { bl: run.bl, run: run.number, detector: detector.id, photonEnergyEv, ...found, poni: file, ledger },
        text: [
          value("beam x", centreUm.x, errors.centreXUm, "µm", 1),
          value("beam y", centreUm.y, errors.centreYUm, "µm", 1),
          value("distance", geometry.distanceMm, errors.distanceMm, "mm", 4),
          value("rot1", geometry.rot1Deg ?? 0, errors.rot1Deg, "°", 4),
          value("rot2", geometry.rot2Deg ?? 0, errors.rot2Deg, "°", 4),
          `${counted(points, "point")} on ${counted(rings.length, "ring")}, ${counted(outliers, "outlier")} left out`,
          `${file} (${width} × ${height}, ${view} view)`,
          ledgerLine(ledger),
        ].join("\n"),
      };
    },
  );

function parsePlace(text: string): readonly [number, number] {
  const [x = NaN, y = NaN, ...more] = text.split(",").map(Number);
  if (more.length > 0 || !Number.isFinite(x) || !Number.isFinite(y))
    throw new InvalidArgumentError("It must be two numbers: x,y.");
  return [x, y];
}
