import { readFileSync } from "node:fs";
import { fileError } from "../core/errors.ts";

/** The text of a file; `what` begins the message. @throws FILE_NOT_FOUND */
export function readTextFile(what: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw fileError("FILE_NOT_FOUND", what, path, cause);
  }
}
