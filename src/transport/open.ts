import { statSync } from "node:fs";
import { SaclaError, show } from "../core/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** Makes an Endpoint for an address; how a kind of source is plugged in. */
export type OpenScheme = (address: Address) => Promise<Endpoint>;

/** An address taken apart: `sim:?seed=7`, `file:run.h5`, `run.h5`. */
export interface Address {
  readonly text: string;
  /** What stands between the scheme and the `?`. */
  readonly path: string;
  readonly options: URLSearchParams;
}

/** How names of HDF5 files end, where no such file is there to be asked. */
const HDF5_NAME = /\.(h5|hdf5|hdf|cxi|nxs)(\?.*)?$/i;

/**
 * Opens the Endpoint an address names. A text without a scheme is a `file:` when it is the path of a file or folder, or
 * ends in `.h5`, `.hdf5`, `.hdf`, `.cxi` or `.nxs`.
 * @throws BAD_URL when no scheme fits
 */
export async function openEndpoint(url: string, schemes: Readonly<Record<string, OpenScheme>>): Promise<Endpoint> {
  const isPath = !/^(file|[a-z]{3,}):/i.test(url) && (HDF5_NAME.test(url) || isThere(url));
  const match = isPath ? ["", "file", url] : /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url);
  const [, scheme, rest] = match ?? [];
  const open = scheme === undefined ? undefined : schemes[scheme.toLowerCase()];
  if (open === undefined || rest === undefined) {
    throw new SaclaError(
      "BAD_URL",
      `${show(url)} is not a known kind of address; allowed are ${Object.keys(schemes)
        .map((s) => `${s}:…`)
        .join(", ")} and the path of an HDF5 file or a folder.`,
      { details: { url } },
    );
  }
  return await open(addressOf(url, rest));
}

/** Takes an address apart. @param rest - what stands behind its scheme */
export function addressOf(text: string, rest: string): Address {
  const query = rest.indexOf("?");
  const path = (query < 0 ? rest : rest.slice(0, query)).replace(/^\/\/(?=\/)/, "");
  return { text, path, options: new URLSearchParams(query < 0 ? "" : rest.slice(query + 1)) };
}

/** Whether it is the path of a file or folder. */
function isThere(url: string): boolean {
  const found = statSync(url.replace(/\?.*$/, ""), { throwIfNoEntry: false });
  return found?.isDirectory() === true || found?.isFile() === true;
}
