import { readFileSync } from "node:fs";
import { show, toSaclaError } from "../core/errors.ts";

/** The text of a file that the user named. @throws FILE_NOT_FOUND with `what` it is */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw toSaclaError(error, "FILE_NOT_FOUND", `${what} ${show(path)} cannot be read`);
  }
}
