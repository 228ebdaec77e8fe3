import { SaclaError, show } from "../../core/errors.ts";
import type { Hdf5Bytes } from "../direct/bytes.ts";
import { attempt, type H5 } from "./library.ts";

/** The library's id of a file that it opens for reading. @throws FILE_DAMAGED */
export function openedBy(h5: H5, file: Hdf5Bytes): bigint {
  const { path, writer } = file;
  const flags = writer === "swmr" ? h5.H5F_ACC_SWMR_READ : h5.H5F_ACC_RDONLY;
  return attempt(
    () => h5.open(path, flags, false, -1, -1),
    (reason, cause) =>
      new SaclaError("FILE_DAMAGED", `${show(path)} ${whyPart(file) ?? whyNotOpened(reason)}`, {
        details: { path },
        cause,
      }),
  );
}

/** Bytes at the beginning of a file among which the superblock names the driver of several files. */
const HEAD_BYTES = 512;

/** Where the file is one of several that only a driver of HDF5 reads as one: how to make one file of them. */
function whyPart(file: Hdf5Bytes): string | undefined {
  const head = Buffer.from(file.bytes(0, Math.min(HEAD_BYTES, file.size))).toString("latin1");
  const [driver, is] = head.includes("NCSAfami")
    ? [`"family", memb_size=${file.size}`, "the first of a family of files"]
    : [`"split"`, "a part of a file that HDF5 has split"];
  if (!/NCSA(fami|mult)/.test(head)) return undefined;
  return `is ${is}, which sacla does not read: open it with h5py (driver=${driver}), and copy its groups to one file.`;
}

function whyNotOpened(reason: string): string {
  if (/already open for (SWMR )?write/.test(reason)) {
    return (
      "was not closed by its writer: wait for it when it still runs; when it has died, clear the flag in a copy of " +
      "the file (h5clear -s copy.h5; h5clear is one of the tools of HDF5) and validate the copy."
    );
  }
  const unclosed = reason.includes("truncated") ? ", or its writer has not closed it" : "";
  return `is HDF5 but does not open (${reason}${unclosed}); copy or convert it again.`;
}
