import { resolve } from "node:path";
import { asText, badArgument } from "../../core/guards.ts";
import { integer, optional, resolveOptions } from "../../core/options.ts";
import type { DataSource } from "../../source/data-source.ts";
import { dataconvert } from "../layouts/dataconvert.ts";
import { layoutOf } from "../layouts/index.ts";
import type { FileLayout } from "../layouts/layout.ts";
import type { ArchiveOptions } from "../read/dataconvert.ts";
import { H5File } from "../read/h5file.ts";

/**
 * Opens an HDF5 file written by DataConvert 3 or 4 as a source of shots; also Cheetah's and NXmx files of SACLA (those
 * of `sacla convert` and ostrich), and CXI files. Only names and short lists are read; an image is read when it is
 * asked for. Images of Cheetah and NXmx files are in photons; a CXI file has neither positions of sensors nor tags: its
 * panels come from a CrystFEL geometry.
 *
 * What such a file does not store is filled in so: the HighTag is guessed from the run's time
 * (01 from March, 02 from September) unless `hightag` is given; the station number is 0; the run status is
 * 0, stopped. Signals have two names, their path inside `event_info` and, where it is known, their SyncDB equipment
 * id. NaN stands for `not-converged` and an infinity for `saturated`; a tag that is not in the run's list is `missing`.
 *
 * @param path - path of the file
 * @param options - `bl`: beamline, where the file names none or several; `hightag`: HighTag of its runs;
 *   `geom`: path of the CrystFEL geometry of a CXI file
 * @throws FILE_NOT_FOUND when there is no such file, or it is a folder
 * @throws NOT_HDF5 when it is empty or something else
 * @throws FILE_DAMAGED when it is truncated, or its parts contradict each other
 * @throws NOT_DATACONVERT when it has another layout, or lacks what its layout needs: the message names the layout and
 *   the path
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
    geom: optional(asText),
  });
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const layout: FileLayout = layoutOf(file) ?? dataconvert;
    if (checked.geom !== undefined && layout.name !== "cxi")
      throw badArgument("geom", checked.geom, `absent: the ${layout.title} layout has the places of its sensors`);
    return layout.read(path, file, checked);
  } catch (error) {
    file.close();
    throw error;
  }
}
