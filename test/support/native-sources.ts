import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin as EsbuildPlugin } from "esbuild";
import type { Plugin } from "vitest/config";

const root = fileURLToPath(new URL("../../", import.meta.url));
const src = join(root, "src");
/** As deep as `src`, so that package.json and docs are found from here, too. */
const made = join(root, "dist-sources");

/** What Node.js loads by itself, for `server.deps.external`. */
export const nativeFiles: RegExp = /\/dist-sources\//;

/**
 * Tests get the modules of `src` as JavaScript that Node.js loads by itself. Modules that Vite runs look up each name
 * they import whenever they use it, which takes a third of the processor time of tests that compute. Threads that such
 * modules start need no tsx, either.
 *
 * Not with `vitest --watch`, which sees changes only of what Vite loads.
 */
export function nativeSources(): Plugin {
  let isWatching = false;
  return {
    name: "native-sources",
    enforce: "pre",
    async configResolved({ test }) {
      isWatching = test?.watch === true;
      await make();
    },
    configureVitest({ experimental_defineCacheKeyGenerator: keyBy }) {
      // What Vite keeps of a module says where its imports are.
      keyBy(() => `watching: ${isWatching}`);
    },
    resolveId(name, importer) {
      if (isWatching || importer === undefined || !name.endsWith(".ts")) return undefined;
      const path = name.startsWith("file:") ? fileURLToPath(name) : resolve(dirname(importer), name);
      return path.startsWith(src + sep) ? placeOf(path) : undefined;
    },
  };
}

/** The JavaScript of a module of `src`, for files that a test writes as users do: Node.js loads them. */
export function nativeSource(name: string): string {
  return placeOf(join(src, name));
}

function placeOf(path: string): string {
  return join(made, path.slice(src.length)).replace(/\.ts$/, ".js");
}

/** Imports stay as they are, but for the ending. */
const modulesApart: EsbuildPlugin = {
  name: "modules-apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, kind }) =>
      kind === "entry-point" ? undefined : { path: path.replace(/\.ts$/, ".js"), external: true },
    );
  },
};

/** Makes those whose source has changed. */
async function make(): Promise<void> {
  const anyway = Math.max(
    ...["package-lock.json", "test/support/native-sources.ts"].map((file) => changeOf(join(root, file))),
  );
  const changed = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(src, file))
    .filter((file) => changeOf(placeOf(file)) <= Math.max(changeOf(file), anyway));
  if (changed.length === 0) return;
  const { outputFiles } = await build({
    entryPoints: changed,
    outbase: src,
    outdir: made,
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    sourcemap: "inline",
    logLevel: "warning",
    plugins: [modulesApart],
  });
  for (const { path, contents } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    // Another process may make or load the same at the same time.
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, contents);
    renameSync(unfinished, path);
  }
}

function changeOf(file: string): number {
  return existsSync(file) ? statSync(file).mtimeMs : -1;
}
