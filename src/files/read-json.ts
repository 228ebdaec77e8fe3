import { readFile } from "node:fs/promises";
import { fileError, SaclaError, show } from "../core/errors.ts";

/**
 * What a JSON file that a person writes says; `what` begins the message.
 * @throws FILE_NOT_FOUND
 * @throws BAD_TEXT when it is no JSON
 */
export async function readJsonFile(what: string, path: string): Promise<unknown> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    throw fileError("FILE_NOT_FOUND", what, path, error);
  }
  try {
    return JSON.parse(content);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SaclaError("BAD_TEXT", `${what} ${show(path)} is no JSON: ${why}.`, { details: { path }, cause: error });
  }
}
