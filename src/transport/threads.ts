import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { SaclaError } from "../core/errors.ts";

/**
 * A thread that runs `entry`, also where it or a `module` that it loads is TypeScript.
 * @throws BAD_ARGUMENT when that is TypeScript and the package tsx is not there
 */
export function startThread(entry: URL, options: WorkerOptions, module: URL = entry): Worker {
  const isTypeScript = [module, entry].some(({ pathname }) => /\.[cm]?ts$/.test(pathname));
  return new Worker(isTypeScript ? withTsx(module, entry) : entry, options);
}

/** The file `name` beside the module `of`, with the same ending: .ts where sources run, .js in the package. */
export function besideModule(of: string, name: string): URL {
  return new URL(`./${name}${of.endsWith(".ts") ? ".ts" : ".js"}`, of);
}

/** A program that runs `entry` with tsx: its hooks do not reach the threads of Node.js 20 by themselves. */
function withTsx(module: URL, entry: URL): URL {
  let api: URL;
  try {
    api = pathToFileURL(
      createRequire(module)
        .resolve("tsx/esm/api")
        .replace(/\.cjs$/, ".mjs"),
    );
  } catch (cause) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${module.pathname} is TypeScript, which a thread can only load with the package tsx. ` +
        "Install it, or give a .js file.",
      { cause },
    );
  }
  const program =
    `import { register } from ${JSON.stringify(api.href)}; register(); ` +
    `await import(${JSON.stringify(entry.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(program)}`);
}
