import { type Command, InvalidArgumentError } from "commander";
import { SaclaError } from "../../core/errors.ts";
import { badArgument, isRecord } from "../../core/guards.ts";
import { type Ledger, mergeLedgers } from "../../core/ledger.ts";
import { counted } from "../../core/show.ts";
import type { Run } from "../../db/index.ts";
import { readJsonFile } from "../../files/index.ts";
import { linePlot, textTable } from "../../plot/index.ts";
import {
  aduPerPhoton,
  type CalibrationShots,
  calibrateEmission,
  calibrationShots,
  darkAverage,
  type EmissionCalibration,
  type EmissionLines,
  type EmissionMaps,
  type EmissionSpectrum,
  emissionMaps,
  emissionSpectrum,
  fitEmissionLines,
  reduce,
} from "../../reduce/index.ts";
import { type DetectorArguments, ledgerLine, withRunAndDetector } from "../average-run.ts";
import {
  type AddCommand,
  declare,
  findDetector,
  findRun,
  parseCount,
  parseFileName,
  parseWhole,
  type Session,
} from "../command.ts";
import { checkFolder } from "../io.ts";

interface Options {
  readonly calibration?: readonly [number, number];
  readonly energy?: string;
  readonly calibrationRun?: number;
  readonly curve?: string;
  readonly saveCurve?: string;
  readonly lines?: number | readonly number[];
  readonly axis?: "columns" | "rows";
  readonly limit?: number;
  readonly out?: string;
  readonly plot?: string;
}

/** Relative; charge of single photons beyond it is not that of the photon energy. */
const GAIN_LIMIT = 0.1;

/** `sacla emission RUN DETECTOR --calibration 7000,7100`: emission lines of a crystal spectrometer. */
export const emission: AddCommand = (program, io) =>
  declare<Options, DetectorArguments>(
    program,
    io,
    "emission",
    "emission lines (XES, RIXS): count photons, calibrate the energy scale, straighten the spectrum, fit its lines",
    configure,
    async (session, options, [number, id]) => {
      for (const file of [options.out, options.plot, options.saveCurve]) if (file !== undefined) checkFolder(file);
      const run = await findRun(session, number);
      const sensor = await sensorOf(run, id);
      const { curve, maps, ledger } = await analyse(session, options, run, sensor);
      const deviation = maps.sample.gainDeviation;
      if (deviation !== null && Math.abs(deviation) > GAIN_LIMIT)
        io.err(
          `warning: single photons have ${(100 * deviation).toFixed(0)} % more charge than expected of their energy: ` +
            "other light reaches the sensor, or its gain is another\n",
        );
      if (options.saveCurve !== undefined) io.writeFile(options.saveCurve, `${JSON.stringify(curve)}\n`);
      const spectrum = emissionSpectrum(maps.sample.photons, curve);
      if (spectrum.outliers > 0)
        io.err(
          `${counted(spectrum.outliers, "pixel")} left out: they or pixels next to them have many more photons than ` +
            "others of their energy (tracks of cosmic particles, hot pixels)\n",
        );
      if (options.out !== undefined) io.writeFile(options.out, csvOf(spectrum));
      const fit = fitOf(spectrum, curve, options.lines);
      if (options.plot !== undefined)
        io.writeFile(options.plot, plotOf(spectrum, fit.lines, `${sensor}, run ${run.number}`));
      const files = [options.out, options.plot, options.saveCurve].filter((file) => file !== undefined);
      const photons = maps.sample.perShot.reduce((sum, n) => sum + n, 0);
      const { lines } = fit;
      return {
        json: {
          bl: run.bl,
          run: run.number,
          sensor,
          shots: maps.sample.tags.length,
          photons,
          outliers: spectrum.outliers,
          lines: lines?.lines ?? [],
          noLines: fit.why,
          blurRmsEv: lines?.blurRmsEv ?? null,
          reducedChiSquare: numberOrNull(lines?.reducedChiSquare),
          calibration: { ...curve, reducedChiSquare: numberOrNull(curve.reducedChiSquare) },
          files,
          ledger,
        },
        text: [
          calibrationText(curve),
          linesText(photons, maps.sample.tags.length, fit),
          ...files,
          ledgerLine(ledger),
        ].join("\n"),
        exitCode: lines === undefined ? 1 : 0,
      };
    },
  );

function configure(command: Command): Command {
  return withRunAndDetector(command)
    .option("--calibration <from,to>", "shots with the monochromator between these energies, eV, calibrate", parsePair)
    .option("--energy <signal>", "0-D signal of that energy (default: the run's only one of a photon energy)")
    .option("--calibration-run <run>", "take them from this run (default: the run itself)", parseWhole)
    .option("--curve <file>", "energy scale saved before, instead of calibration shots")
    .option("--save-curve <file>", "save the energy scale (JSON)")
    .option("--lines <n|ev,ev>", "how many lines, or about where (default: as many as are significant)", parseLines)
    .option("--axis <axis>", "along what the energy changes: columns or rows (default: found)", parseAxis)
    .option("-n, --limit <shots>", "at most this many shots of the sample", parseCount)
    .option("-o, --out <file>", "write the spectrum as CSV")
    .option("--plot <file>", "write it as an SVG plot, with the fit", parseFileName(".svg"));
}

function parseNumbers(text: string): number[] {
  const numbers = text.split(",").map(Number);
  if (text.trim() === "" || !numbers.every((value) => Number.isFinite(value) && value > 0))
    throw new InvalidArgumentError("It must be positive numbers with commas.");
  return numbers;
}

function parsePair(text: string): readonly [number, number] {
  const [from, to, ...rest] = parseNumbers(text);
  if (from === undefined || to === undefined || rest.length > 0 || from >= to)
    throw new InvalidArgumentError("It must be two energies in eV, low,high.");
  return [from, to];
}

/** One number up to 12 is how many there are; else energies. */
function parseLines(text: string): number | readonly number[] {
  const numbers = parseNumbers(text);
  const [only = NaN] = numbers;
  return numbers.length === 1 && Number.isInteger(only) && only <= 12 ? only : numbers;
}

function parseAxis(text: string): "columns" | "rows" {
  if (text === "columns" || text === "rows") return text;
  throw new InvalidArgumentError("It must be columns or rows.");
}

function numberOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

async function sensorOf(run: Run, id: string | undefined): Promise<string> {
  const { sensors } = await findDetector(run, id);
  const [sensor, ...others] = sensors;
  if (sensor === undefined || others.length > 0)
    throw badArgument("detector", id ?? "not given", `one sensor, such as ${sensors.join(", ")}`);
  return sensor;
}

async function analyse(
  session: Session,
  options: Options,
  run: Run,
  sensor: string,
): Promise<{ curve: EmissionCalibration; maps: EmissionMaps; ledger: Ledger }> {
  if (options.curve !== undefined) {
    const curve = asCurve(options.curve, await readJsonFile("The energy scale", options.curve));
    const { maps, ledger } = await mapsOf(session, options, run, sensor, [], curve.middleEv);
    return { curve, maps, ledger };
  }
  const source = options.calibrationRun === undefined ? run : await findRun(session, options.calibrationRun);
  const calibration = await calibrationOf(session, source, options);
  const energies = calibration.map(({ energyEv }) => energyEv);
  const middle = energies.reduce((sum, each) => sum + each, 0) / energies.length;
  const first = await mapsOf(session, options, source, sensor, calibration, middle, source === run);
  const curve = calibrateEmission(first.maps.calibration, { axis: options.axis });
  if (source === run) return { curve, ...first };
  const { maps, ledger } = await mapsOf(session, options, run, sensor, [], middle);
  return { curve, maps, ledger: mergeLedgers(first.ledger, ledger) };
}

async function calibrationOf({ signal }: Session, run: Run, options: Options): Promise<CalibrationShots[]> {
  if (options.calibration === undefined)
    throw badArgument(
      "--calibration",
      undefined,
      "the energies of the calibration shots, such as 7000,7100, or --curve",
    );
  const [fromEv, toEv] = options.calibration;
  const equipId = options.energy ?? (await energySignal(run));
  return calibrationShots(await run.column(equipId, undefined, { signal }), { fromEv, toEv });
}

async function energySignal(run: Run): Promise<string> {
  const found = await run.signals(/photon_energy/);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  throw badArgument("--energy", undefined, `a 0-D signal${found.length > 0 ? `, such as ${found.join(", ")}` : ""}`);
}

async function mapsOf(
  { facility, signal, progress }: Session,
  { limit }: Options,
  run: Run,
  sensor: string,
  calibration: readonly CalibrationShots[],
  energyEv: number,
  hasSample = true,
): Promise<{ maps: EmissionMaps; ledger: Ledger }> {
  const { absGain } = await run.detectorInfo(sensor, { signal });
  if (absGain === null)
    throw new SaclaError("UNSUPPORTED", `The gain of ${sensor} is not known, so its photons cannot be counted.`);
  const shots = (tags: Parameters<typeof facility.shots>[0]["tags"]) =>
    facility.shots({ run, detectors: [sensor], tags, signal });
  const dark = await darkAverage(shots(await run.darkTags(undefined, { signal })), { signal });
  const exposed = await run.exposedTags(undefined, { signal });
  const known = new Set(calibration.flatMap(({ tags }) => [...tags]));
  const samples = [...exposed].filter((tag) => !known.has(tag)).slice(0, limit);
  const tags = [...exposed].filter((tag) => known.has(tag)).concat(hasSample ? samples : []);
  const perPhoton = aduPerPhoton(energyEv, absGain);
  return await progress(`run ${run.number} ${sensor}`, async (update) => {
    const { maps, ledger } = await reduce(
      shots(tags.sort((a, b) => a - b)),
      { maps: emissionMaps({ aduPerPhoton: perPhoton, noiseAdu: dark, calibration }) },
      { dark, signal, onProgress: (done, total) => update(done, total) },
    );
    const found = maps[sensor];
    if (found === undefined)
      throw new SaclaError("NO_SHOTS", `No shot of run ${run.number} has an image of ${sensor}.`, {
        details: { ledger },
      });
    return { maps: found, ledger: mergeLedgers(dark.ledger, ledger) };
  });
}

function asCurve(path: string, value: unknown): EmissionCalibration {
  if (!isRecord(value) || !Array.isArray(value["coefficients"]) || !Array.isArray(value["covariance"]))
    throw badArgument("--curve", path, "a file of --save-curve");
  return value as unknown as EmissionCalibration;
}

/** The fit, or why there is none: the calibration is worth showing all the same. */
function fitOf(
  spectrum: EmissionSpectrum,
  curve: EmissionCalibration,
  lines: Options["lines"],
): { readonly lines: EmissionLines | undefined; readonly why: string | null } {
  try {
    return { lines: fitEmissionLines(spectrum, curve, { lines }), why: null };
  } catch (error) {
    if (error instanceof SaclaError && error.code === "NO_PEAK") return { lines: undefined, why: error.message };
    throw error;
  }
}

function calibrationText({
  lines,
  axis,
  blurRmsEv,
  reducedChiSquare,
  coefficients,
  halfEv,
  lineScatterPx,
}: EmissionCalibration): string {
  const [, slope = NaN] = coefficients;
  const rows = lines.map((line) => [
    line.energyEv,
    Math.round(line.photons),
    line.rmsEv.toFixed(3),
    `${line.offPx.toFixed(3)} ± ${line.offErrorPx.toFixed(3)}`,
  ]);
  const scatter = Number.isFinite(reducedChiSquare) ? `, χ² per degree of freedom ${reducedChiSquare.toFixed(2)}` : "";
  const moved =
    lineScatterPx > 0
      ? [`its lines moved by ${lineScatterPx.toFixed(2)} px rms from energy to energy; its errors include this`]
      : [];
  const straight =
    lines.length === 2 ? ["two energies give a straight scale: its errors allow for a bend, which three measure"] : [];
  return [
    textTable(["calibration, eV", "photons", "rms, eV", "off the curve, px"], rows),
    `${(halfEv / slope).toFixed(4)} eV per pixel along the ${axis}, lines ${blurRmsEv.toFixed(3)} eV rms${scatter}`,
    ...moved,
    ...straight,
  ].join("\n");
}

function linesText(photons: number, shots: number, { lines, why }: ReturnType<typeof fitOf>): string {
  const told = `${counted(photons, "photon")} in ${counted(shots, "shot")} of the sample`;
  if (lines === undefined) return `${told}\n${why}`;
  const rows = lines.lines.map((line) => [
    `${line.energyEv.toFixed(3)} ± ${line.energyErrorEv.toFixed(3)}`,
    line.countingErrorEv.toFixed(3),
    `${line.fwhmEv.toFixed(2)} ± ${line.fwhmErrorEv.toFixed(2)}`,
    `${line.photons.toFixed(0)} ± ${line.photonsError.toFixed(0)}`,
  ]);
  const { reducedChiSquare: chi, blurRmsEv } = lines;
  const scatter = Number.isFinite(chi) ? `, χ² per degree of freedom ${chi.toFixed(2)}` : "";
  const head = ["line, eV", "of which counting", "FWHM, eV", "photons"];
  return [told, textTable(head, rows), `blur ${blurRmsEv.toFixed(2)} eV rms${scatter}`].join("\n");
}

function csvOf({ energyEv, photons, perEv, error }: EmissionSpectrum): string {
  const rows = Array.from(energyEv, (energy, i) =>
    [energy.toFixed(4), photons[i], perEv[i]?.toPrecision(7), error[i]?.toPrecision(4)].join(","),
  );
  return `energy_eV,photons,photons_per_eV,error_per_eV\n${rows.join("\n")}\n`;
}

function plotOf({ energyEv, perEv, error }: EmissionSpectrum, lines: EmissionLines | undefined, title: string): string {
  const counted = { label: "counted", x: energyEv, y: perEv, error, style: "points" } as const;
  const fitted = lines === undefined ? [] : [{ label: "fit", x: energyEv, y: lines.curve, style: "line" } as const];
  return linePlot([counted, ...fitted], { title, xLabel: "photon energy (eV)", yLabel: "photons per eV" });
}
