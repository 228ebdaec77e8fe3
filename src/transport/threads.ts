import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { SaclaError } from "../core/errors.ts";

/**
 * A thread that runs `entry`, also where it or a `module` that it loads is TypeScript.
 * @throws BAD_ARGUMENT when that is TypeScript and the package tsx is not there
 */
export function startThread(entry: URL, options: WorkerOptions, module: URL = entry): Worker {
  const program = (): string => `${registerTsx(module)} await import(${JSON.stringify(entry.href)});`;
  return new Worker([module, entry].some(isTypeScript) ? asUrl(program()) : entry, options);
}

/**
 * A process that runs `entry`, also where it is TypeScript, and exchanges messages with this one. What it writes to
 * stderr is given as `stderr`.
 * @throws as {@link startThread}
 */
export function startProcess(entry: URL): ChildProcess {
  const program = isTypeScript(entry)
    ? ["--import", asUrl(registerTsx(entry)).href]
    : process.execArgv.filter((argument) => !argument.startsWith("--inspect"));
  return spawn(process.execPath, [...program, fileURLToPath(entry)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
    // Ctrl+C at the terminal is for the one that has started it.
    detached: true,
    windowsHide: true,
  });
}

/** The file `name` beside the module `of`, with the same ending: .ts where sources run, .js in the package. */
export function besideModule(of: string, name: string): URL {
  return new URL(`./${name}${of.endsWith(".ts") ? ".ts" : ".js"}`, of);
}

/** Whether a module is TypeScript, with which a thread takes a second longer to start. */
export function isTypeScript({ pathname }: URL): boolean {
  return /\.[cm]?ts$/.test(pathname);
}

function asUrl(program: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(program)}`);
}

/** Lets TypeScript be loaded: the hooks of tsx do not reach the threads of Node.js 20 by themselves. */
function registerTsx(module: URL): string {
  try {
    const api = createRequire(module)
      .resolve("tsx/esm/api")
      .replace(/\.cjs$/, ".mjs");
    return `import { register } from ${JSON.stringify(pathToFileURL(api).href)}; register();`;
  } catch (cause) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${module.pathname} is TypeScript, which a thread can only load with the package tsx. ` +
        "Install it, or give a .js file.",
      { cause },
    );
  }
}
