import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import type { Plan } from "../scan/index.ts";
import { type TableContext, tablePlan } from "./table-plan.ts";

/** Files that are a plan: modules and tables of positions. */
export function isPlanFile(name: string): boolean {
  return /\.(?:[cm]?[jt]s|csv)$/i.test(name);
}

/**
 * A plan out of a user's file: the default export of a module, a plan or a function that makes one; or a table of
 * positions (CSV).
 * @throws FILE_NOT_FOUND, BAD_ARGUMENT, BAD_TEXT
 */
export async function loadPlan(path: string, context: TableContext): Promise<Plan> {
  if (!existsSync(path))
    throw new SaclaError("FILE_NOT_FOUND", `The plan ${show(path)} is not there.`, { details: { path } });
  if (/\.csv$/i.test(path)) return await tablePlan(path, context);
  let made: unknown;
  try {
    const module: unknown = await import(pathToFileURL(resolve(path)).href);
    const given = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
    made = typeof given === "function" ? await given() : given;
  } catch (cause) {
    throw new SaclaError("BAD_ARGUMENT", `The plan ${show(path)} cannot be loaded: ${whyNotLoaded(path, cause)}`, {
      cause,
    });
  }
  if (isPlan(made)) return made;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `${show(path)} must export a plan, or a function that makes one, as its default: export default () => scan({ … }).`,
  );
}

/** What is wrong with a module of a user's, and where; ends with a full stop. */
function whyNotLoaded(path: string, cause: unknown): string {
  const message = toSaclaError(cause).message.replace(/\.?$/, ".");
  if (message.includes("Cannot find package 'sacla'"))
    return `${message} Install sacla in the folder of the plan (npm install sacla), or move the plan to where it is.`;
  if (path.endsWith(".ts") && message.includes("file extension"))
    return `${message} This Node.js does not read TypeScript; give a .js or .mjs file.`;
  // A stack begins with the place of a syntax error, and has that of another error below its message.
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const at = stack.indexOf(`${basename(path)}:`);
  const place = at < 0 ? undefined : /^[^:]+:\d+(:\d+)?/.exec(stack.slice(at))?.[0];
  return place === undefined || message.includes(place) ? message : `${message.slice(0, -1)} (${place}).`;
}

function isPlan(value: unknown): value is Plan {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "settings" in value &&
    "steps" in value &&
    typeof value.steps === "function"
  );
}
