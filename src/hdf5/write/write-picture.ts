import type { PixelUnit } from "../../core/detector.ts";
import type { Image, PreciseImage, RawImage } from "../../core/ndarray.ts";
import { writeTree } from "./write-tree.ts";

/** What a picture is of. */
export interface PictureAbout {
  readonly bl: number;
  readonly run: number;
  readonly hightag: number;
  readonly tag: number;
  readonly detId: string;
  /** Shots of which it is the mean. */
  readonly shots: number;
  /** The run whose dark was subtracted; null: it is raw. */
  readonly dark: number | null;
  /** @default "ADU" */
  readonly unit?: PixelUnit | undefined;
  /** Of the whole picture, where it is a part of one. */
  readonly firstRow?: number | undefined;
  readonly firstColumn?: number | undefined;
}

/**
 * Writes one picture as an HDF5 file: `picture` (its numbers), `x_um` and `y_um` (where columns and rows are, µm
 * from the beam), and what it is of (`detector`, `beamline`, `run`, `hightag`, `tag`, `shots`, `dark_run`, `unit`).
 * @param places - null: the detector has no geometry
 * @throws WRITE_FAILED
 */
export async function writePictureFile(
  path: string,
  picture: Image | PreciseImage | RawImage,
  places: { readonly xUm: Float64Array; readonly yUm: Float64Array } | null,
  { bl, run, hightag, tag, detId, shots, dark, unit = "ADU", firstRow, firstColumn }: PictureAbout,
): Promise<void> {
  await writeTree(path, {
    picture,
    x_um: places?.xUm,
    y_um: places?.yUm,
    first_row: firstRow,
    first_column: firstColumn,
    ...{ detector: detId, beamline: bl, run, hightag, tag, shots, dark_run: dark, unit },
  });
}
