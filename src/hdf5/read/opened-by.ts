import { SaclaError, show } from "../../core/errors.ts";
import type { Hdf5Bytes } from "../direct/bytes.ts";
import { attempt, type H5 } from "./library.ts";

/** The library's id of a file that it opens for reading. @throws FILE_DAMAGED */
export function openedBy(h5: H5, { path, writer }: Hdf5Bytes): bigint {
  const flags = writer === "swmr" ? h5.H5F_ACC_SWMR_READ : h5.H5F_ACC_RDONLY;
  return attempt(
    () => h5.open(path, flags, false, -1, -1),
    (reason, cause) =>
      new SaclaError("FILE_DAMAGED", `${show(path)} ${whyNotOpened(reason)}`, { details: { path }, cause }),
  );
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
