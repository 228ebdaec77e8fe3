import { basename, dirname, join, resolve } from "node:path";
import { badArgument } from "../core/guards.ts";
import { shellWord } from "../core/shell-word.ts";
import { type Converted, type FileFormat, PEAK_LIST, type ResolvedRequest } from "../hdf5/index.ts";

/** Programs that `sacla convert --for` writes for. */
export const convertPrograms = ["crystfel", "dials", "dxtbx"] as const;
export type ConvertProgram = (typeof convertPrograms)[number];

/**
 * The format for a program: NXmx for all, where positions are exact and each shot has its energy; for CrystFEL, which
 * takes lists of peaks, CXI when only hits are wanted. CXI files of sacla are NXmx too.
 * @throws BAD_ARGUMENT when the user asks for another, which the program would read wrongly or not at all
 */
export function formatFor(
  program: ConvertProgram | undefined,
  format: FileFormat | undefined,
  onlyHits: boolean,
): FileFormat | undefined {
  if (program === undefined) return format ?? (onlyHits ? "cxi" : undefined);
  if (format === undefined) return onlyHits && program === "crystfel" ? "cxi" : "nxmx";
  const allowed: readonly FileFormat[] = program === "crystfel" ? ["cheetah", "cxi", "nxmx"] : ["cxi", "nxmx"];
  if (allowed.includes(format)) return format;
  throw badArgument("--format", format, `${allowed.join(" or ")} for ${program}`);
}

/** What to type next, in the folder of the file. */
export function nextCommands(
  program: ConvertProgram,
  { path, geomPath, provenance }: Pick<Converted, "path" | "geomPath" | "provenance">,
): string[] {
  const stem = path.replace(/\.[^./]+$/, "");
  const [file, list] = [shellWord(path), shellWord(`${stem}.lst`)];
  if (program === "dxtbx") return [`dials.image_viewer ${file}`, `dials.show ${file}`];
  if (program === "dials")
    return [
      `dials.import ${file} output.experiments=${shellWord(`${stem}.expt`)}`,
      `dials.find_spots ${shellWord(`${stem}.expt`)} output.reflections=${shellWord(`${stem}.refl`)}`,
      `dials.stills_process ${file}`,
    ];
  const geom = join(dirname(path), basename(geomPath ?? ""));
  // A list of less than 8 bytes, such as "a.nxs", is refused by indexamajig 0.12 as a file that cannot be opened.
  const listing = `echo ${shellWord(resolve(path))} > ${list}`;
  const [source, stream] = [`-g ${shellWord(geom)} -i ${list}`, shellWord(`${stem}.stream`)];
  if (provenance.request.format === "cxi")
    return [listing, `indexamajig ${source} -o ${stream} -j 4 --peaks=cxi --hdf5-peaks=${PEAK_LIST}`];
  // A peak of two photons in its highest pixel.
  const threshold = 2 * (provenance.constants.photons?.unitsPerPhoton ?? 1);
  return [listing, `indexamajig ${source} -o ${stream} -j 4 --peaks=peakfinder8 --threshold=${threshold} --min-snr=5`];
}

/** Warnings about readers of a format, a line each. */
export function readerWarnings({ format }: ResolvedRequest, sensors: Converted["provenance"]["constants"]["sensors"]) {
  if (format !== "cheetah") return [];
  const off = Math.max(0, ...sensors.map(dxtbxPixels));
  return [
    `dxtbx, DIALS and cctbx.xfel place the sensors of Cheetah files up to ${off.toFixed(1)} pixels off ` +
      "(the sign of the small turn from ±90°); for them use --for dials",
  ];
}

/**
 * How far dxtbx 3.12.1 (FormatHDF5SaclaMPCCD) places the far corner of a sensor off: it turns a sensor the other way by
 * the small angle from ±90°.
 */
function dxtbxPixels(sensor: object): number {
  const { geometry, xsize, ysize } = sensor as { geometry?: { rotationDeg?: number }; xsize?: number; ysize?: number };
  const rotationDeg = geometry?.rotationDeg ?? NaN;
  const fromUpright = (((rotationDeg - 90) % 180) + 180) % 180;
  const turnDeg = Math.min(fromUpright, 180 - fromUpright);
  const off = 2 * Math.sin((turnDeg * Math.PI) / 180) * Math.hypot(xsize ?? 0, ysize ?? 0);
  return Number.isFinite(off) ? off : 0;
}
