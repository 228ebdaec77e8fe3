import { resolve } from "node:path";
import { SaclaError, show } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { integer, optional, resolveOptions } from "../../core/options.ts";
import type { DataSource } from "../../source/data-source.ts";
import { dataconvert } from "../layouts/dataconvert.ts";
import { layoutOf, layouts } from "../layouts/index.ts";
import type { FileLayout } from "../layouts/layout.ts";
import type { ArchiveOptions } from "./dataconvert.ts";
import { H5File } from "./h5file.ts";

/**
 * Opens an HDF5 file written by DataConvert 3 or 4 as a source of shots. Only names and short lists are read; an
 * image is read when it is asked for.
 *
 * What such a file does not store is filled in so: the HighTag is guessed from the run's time
 * (01 from March, 02 from September) unless `hightag` is given; the station number is 0; the run status is
 * 0, stopped. Signals have two names, their path inside `event_info` and, where it is known, their SyncDB equipment
 * id. NaN stands for `not-converged` and an infinity for `saturated`; a tag that is not in the run's list is `missing`.
 *
 * @param path - path of the file
 * @param options - `bl`: beamline, where the file names none or several; `hightag`: HighTag of its runs
 * @throws FILE_NOT_FOUND when there is no such file, or it is a folder
 * @throws NOT_HDF5 when it is empty or something else
 * @throws FILE_DAMAGED when it is truncated, or its parts contradict each other
 * @throws NOT_DATACONVERT when it has another layout; the message names that layout, or the path that is missing
 * @throws BAD_ARGUMENT when an option is not a whole number, or there is no such option
 *
 * @example
 * const archive = await openArchive("206178.h5");
 * const tags = await archive.tags(3, 206178);
 * await archive.close();
 */
export async function openArchive(path: string, options: ArchiveOptions = {}): Promise<DataSource> {
  const checked = resolveOptions("archive", options, {
    bl: optional(integer(0, 1000)),
    hightag: optional(integer(0, 999_999)),
  });
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const layout: FileLayout = layoutOf(file) ?? dataconvert;
    if (layout.read === undefined) throw notReadable(path, layout);
    return layout.read(path, file, checked);
  } catch (error) {
    file.close();
    throw error;
  }
}

function notReadable(path: string, { name, title, sign }: FileLayout): SaclaError {
  const readable = layouts.filter((layout: FileLayout) => layout.read !== undefined);
  const wanted = readable.map((layout) => `${layout.title}, but ${layout.sign} is not there`);
  return new SaclaError(
    "NOT_DATACONVERT",
    `${show(path)} has the ${title} layout (${sign}), which sacla does not read. It reads ${wanted.join("; ")}.`,
    { details: { path, layout: name } },
  );
}
