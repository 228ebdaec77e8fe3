import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import type { PageOptions, RunColumn } from "../page/index.ts";

/**
 * What the page shows besides, from a user's module: its default export has a function for each column.
 * @throws FILE_NOT_FOUND, BAD_ARGUMENT
 */
export async function pageOptions(path: string | undefined): Promise<PageOptions> {
  if (path === undefined) return {};
  if (!existsSync(path)) throw new SaclaError("FILE_NOT_FOUND", `The columns ${show(path)} are not there.`);
  let given: unknown;
  try {
    const module: unknown = await import(pathToFileURL(resolve(path)).href);
    given = isRecord(module) ? module["default"] : undefined;
  } catch (cause) {
    throw new SaclaError("BAD_ARGUMENT", `The columns ${show(path)} cannot be loaded: ${toSaclaError(cause).message}`, {
      cause,
    });
  }
  if (isRecord(given) && Object.values(given).every((column) => typeof column === "function"))
    return { columns: given as Readonly<Record<string, RunColumn>> };
  throw new SaclaError(
    "BAD_ARGUMENT",
    `${show(path)} must export functions by the names of columns as its default: ` +
      'export default { "mean of bm1": async (run) => (await run.column("…")).mean() }.',
  );
}
