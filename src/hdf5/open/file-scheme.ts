import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { SaclaError, show } from "../../core/errors.ts";
import { endpointOf } from "../../source/source-endpoint.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { inProcess } from "../../transport/in-process.ts";
import { type Address, addressOf } from "../../transport/open.ts";
import { openArchiveFolder } from "./archive-folder.ts";
import { openArchive } from "./open-archive.ts";

const optionNames = ["bl", "hightag", "geom"] as const;

/**
 * Opens `file:run.h5`, `file:///data/run.h5` or a plain path as an archive, and `file:folder` as all archives in it.
 * Options: `?bl=3`, `?hightag=201402` and, for CXI, `?geom=hits.geom`, as in {@link openArchive}. In a `file://`
 * address, `%20` and the like stand for characters, as in a browser.
 *
 * @throws BAD_URL when there is no path, an unknown option, or an option that is not a whole number
 * @throws what {@link openArchive} and {@link openArchiveFolder} throw
 *
 * @example
 * const endpoint = await openEndpoint("206178.h5?hightag=201402", { file: fileScheme });
 */
export async function fileScheme(address: Address): Promise<Endpoint> {
  const path = pathOf(address);
  if (path === "") throw badUrl(address, "names no file; write file:run.h5 or file:folder");
  const options: { bl?: number; hightag?: number; geom?: string } = {};
  for (const [key, text] of isFileName(address.text) ? [] : address.options) {
    const name = optionNames.find((known) => known === key);
    if (name === undefined) throw badUrl(address, `has the option ${show(key)}; allowed are bl, hightag and geom`);
    if (name === "geom") {
      options.geom = text;
      continue;
    }
    if (!/^\d{1,6}$/.test(text)) throw badUrl(address, `has ${name}=${text}, which is not a whole number`);
    options[name] = Number(text);
  }
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return inProcess(endpointOf(await (isFolder ? openArchiveFolder(path, options) : openArchive(path, options))));
}

/** The path of a file or folder that an address names, whose files can be looked into; undefined for other sources. */
export function pathIn(url: string): string | undefined {
  const [, rest] = /^file:(.*)$/is.exec(url) ?? [];
  if (rest === undefined && /^[a-z]{3,}:/i.test(url)) return undefined;
  const path = pathOf(addressOf(url, rest ?? url));
  return path === "" ? undefined : path;
}

/** Whether a question mark belongs to the name of a file that is there. */
function isFileName(text: string): boolean {
  return text.includes("?") && statSync(text, { throwIfNoEntry: false })?.isFile() === true;
}

function pathOf(address: Address): string {
  if (isFileName(address.text)) return address.text;
  if (!/^file:\/\//i.test(address.text)) return address.path;
  try {
    return decodeURIComponent(address.path);
  } catch {
    throw badUrl(address, "has a % that is not followed by two hexadecimal digits");
  }
}

function badUrl(address: Address, what: string): SaclaError {
  return new SaclaError("BAD_URL", `${show(address.text)} ${what}.`, { details: { url: address.text } });
}
