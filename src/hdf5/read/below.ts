import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { plainNumbersAt } from "./absence.ts";
import type { H5File } from "./h5file.ts";

/** No run has as many signals, but links can make them of a few. */
const MOST_BELOW = 100_000;
/** Groups in groups. */
const MOST_LEVELS = 32;
/** What is said of a group below more. */
export const TOO_DEEP: string = `a group below ${MOST_LEVELS} others, deeper than sacla looks`;

/**
 * Paths of everything below a group that is no group itself, and of groups that are below {@link MOST_LEVELS} others,
 * which are not entered. A group that is reached again below itself, by a hard or a soft link, is not entered again.
 * @throws FILE_DAMAGED when there are more than any run has
 */
export function pathsBelow(file: H5File, root: string): string[] {
  const found: string[] = [];
  for (const path of eachBelow(file, root)) {
    found.push(path);
    if (found.length > MOST_BELOW) throw tooMany(file, root);
  }
  return found;
}

/** As {@link pathsBelow}, one after the other. @param root - "/" for all of the file */
export function* eachBelow(file: H5File, root: string): Generator<string> {
  function* walk(group: string, above: ReadonlySet<string>): Generator<string> {
    for (const name of file.keys(group)) {
      const member = group === "/" ? `/${name}` : `${group}/${name}`;
      const id = isGroup(file, member) ? identityOf(file, member) : undefined;
      if (id === undefined) yield member;
      else if (above.has(id)) continue;
      else if (above.size < MOST_LEVELS) yield* walk(member, new Set(above).add(id));
      else yield member;
    }
  }
  if (file.kind(root) === "group") yield* walk(root, new Set([identityOf(file, root)]));
}

/** What cannot be looked at is no group: who reads it is told why. */
function isGroup(file: H5File, path: string): boolean {
  try {
    return plainNumbersAt(file, path) === undefined && file.kind(path) === "group";
  } catch (error) {
    if (isSaclaError(error, "FILE_DAMAGED")) return false;
    throw error;
  }
}

function tooMany(file: H5File, path: string): SaclaError {
  return new SaclaError(
    "FILE_DAMAGED",
    `${path} of ${show(file.path)} has more than ${MOST_BELOW} objects below it; links may lead to the same ones.`,
    { details: { file: file.path, path } },
  );
}

/** The same for every path that leads to an object: the address of its header, and the file that it is in. */
function identityOf(file: H5File, path: string): string {
  const reference = file.ask(path, (h5, id) => h5.create_object_reference(id, path));
  return `${file.linkOut(path)?.file ?? ""} ${Buffer.from(reference).toString("hex")}`;
}
