import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { timeText } from "../core/time-text.ts";
import { writePictureFile } from "../hdf5/index.ts";
import { type ColourMap, colourMaps, renderImage } from "../plot/index.ts";
import { axesOf } from "../reduce/picture.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { CutPicture } from "./picture-maker.ts";

type Export = CallResult<"page.export">;
type Wish = CallParams<"page.export">;

const MAX_WIDTH = 1600;

/** The picture that is shown as a file, and the command line that writes the like. */
export async function exportPicture(cut: CutPicture, wish: Wish): Promise<Export> {
  const name = `${cut.about.run}-${cut.about.detId}-${cut.about.tag}.${wish.form}`;
  return wish.form === "png" ? png(cut, wish, name) : await hdf5(cut, name);
}

/** The colour map of `sacla image` for a name of the page; undefined: there is none. */
function colourMapOf(name: string): ColourMap | undefined {
  return name === "Greys" ? "gray" : colourMaps.find((known) => known === name.toLowerCase());
}

function png(cut: CutPicture, { colourMap, scale, range: [low, high] }: Wish, name: string): Export {
  const { about } = cut;
  const positions = positionsOf(cut);
  const map = colourMapOf(colourMap);
  const isLog = scale === "log" && low > 0;
  const range: readonly [number, number] = low < high ? [low, high] : [low, low + 1];
  const bytes = renderImage(cut.image, {
    title: `${about.detId}, run ${about.run}, tag ${about.tag}`,
    lines: [linesOf(cut), ...(about.time === null ? [] : [timeText(new Date(1000 * about.time))])],
    unit: "ADU",
    range,
    scale: isLog ? "log" : "linear",
    colourMap: map ?? "viridis",
    maxWidth: MAX_WIDTH,
    ...(positions === null ? {} : { positions }),
  });
  const other = [
    ...(map === undefined ? [`viridis instead of ${colourMap}`] : []),
    ...(isLog || scale === "linear" ? [] : [`a linear scale instead of ${scale}`]),
  ];
  return {
    name,
    bytes,
    command: commandOf(cut, [
      `--range=${range.map((value) => Number(value.toPrecision(6))).join(",")}`,
      ...(isLog ? ["--log"] : []),
      ...(map === undefined || map === "viridis" ? [] : ["--colour-map", map]),
      "-o",
      name,
    ]),
    note: other.length === 0 ? "" : `The file has ${other.join(" and ")}.`,
  };
}

function linesOf({ about, assembler }: CutPicture): string {
  return [
    ...(about.what === "all" ? [] : [about.what]),
    about.dark === null ? "raw" : `dark of run ${about.dark} subtracted`,
    ...(about.shots > 1 ? [`mean of ${about.shots} shots`] : []),
    ...(assembler === null ? [] : [`seen from the ${assembler.view}`]),
  ].join(", ");
}

/** The command line that writes the whole picture of one stored shot; "" for a mean. */
function commandOf({ about }: CutPicture, options: readonly string[]): string {
  if (about.shots > 1) return "";
  const dark = about.dark === null ? "--no-dark" : `--dark ${about.dark}`;
  const words = ["sacla image", about.run, shellWord(about.detId), "--tag", about.tag, dark, "--bl", about.bl];
  return [...words, ...options].join(" ");
}

/** The shown part of the picture as an HDF5 file. */
async function hdf5(cut: CutPicture, name: string): Promise<Export> {
  const folder = await mkdtemp(join(tmpdir(), "sacla-picture-"));
  try {
    const path = join(folder, "picture.h5");
    const { image, about, region } = cut;
    const [firstRow, firstColumn] = [region.rows[0], region.columns[0]];
    await writePictureFile(path, image, positionsOf(cut), { ...about, firstRow, firstColumn });
    return { name, bytes: new Uint8Array(await readFile(path)), command: commandOf(cut, ["-o", name]), note: "" };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Positions of the pixels; null for a picture without geometry. */
function positionsOf({ assembler, region }: CutPicture): { xUm: Float64Array; yUm: Float64Array } | null {
  if (assembler === null) return null;
  const { xUm, yUm } = axesOf(assembler);
  return { xUm: xUm.slice(...region.columns), yUm: yUm.slice(...region.rows) };
}
