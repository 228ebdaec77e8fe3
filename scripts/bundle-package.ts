/**
 * `npm run build` ends with this: what `tsc` has made is put into few files, since each file that a program loads costs
 * half a millisecond, also in each of its threads. The entries of the package and the programs of threads and processes
 * stay where they are (`dist/reduce/index.js`) and share `dist/shared`; the command line is a bundle of its own,
 * `dist/bin`, in which a command loads what it needs and no more.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { type Plugin, type RolldownOptions, rolldown } from "rolldown";
import { bundling } from "./bundling.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "dist");
const commandLine = `${dist}/cli/main.js`;

/** The expression in a file of a bundle that gives the address of a file in `dist`. */
const PLACE = /__SACLA_PLACE__\("([^"]*)"\)/g;

/** A module that looks for files beside it does so where it lay before. */
const ownPlaces = (folder: string): Plugin => ({
  name: "own-places",
  transform: (code, path) =>
    path.startsWith(dist) && code.includes("import.meta.url")
      ? code.replaceAll("import.meta.url", `__SACLA_PLACE__("${relative(dist, path)}")`)
      : undefined,
  // Not before it is known in which file the module is.
  renderChunk: (code, { fileName }) =>
    code.replace(PLACE, (_, path: string) => {
      const from = relative(dirname(join(folder, fileName)), join(dist, path));
      return `new URL(${JSON.stringify(from)},import.meta.url).href`;
    }),
});

/**
 * h5wasm has the HDF5 library as a text inside its JavaScript, which Node.js must read, check and decode each time. In a
 * file of its own it is bytes from the beginning; its licence goes with it.
 */
const hdf5Apart: Plugin = {
  name: "hdf5-apart",
  transform: {
    filter: { id: /\/h5wasm\/dist\/node\/hdf5_util\.js$/ },
    handler(code, path) {
      const [before, after] = ["binaryDecode('", "')}function getBinarySync"];
      const [from, to] = [code.indexOf(before), code.indexOf(after)];
      if (from < 0 || to < from) throw new Error("This version of h5wasm has the HDF5 library in another form.");
      const text: string = runInNewContext(`'${code.slice(from + before.length, to)}'`);
      // As h5wasm decodes it: the low byte of each character.
      writeFileSync(`${dist}/hdf5.wasm`, Buffer.from(text, "latin1"));
      writeFileSync(`${dist}/hdf5-LICENSE.txt`, readFileSync(join(dirname(path), "../../LICENSE.txt")));
      const read = 'readHdf5(new URL(__SACLA_PLACE__("hdf5.wasm"))';
      return `import { readFileSync as readHdf5 } from "node:fs";\n${code.slice(0, from)}${read}${code.slice(to + 1)}`;
    },
  },
};

/** What `tsc` knows about the lines of the sources, which lie in the package too. */
const sourceLines: Plugin = {
  name: "source-lines",
  load: (path) =>
    path.startsWith(dist) && path.endsWith(".js")
      ? { code: readFileSync(path, "utf8"), map: readFileSync(`${path}.map`, "utf8") }
      : undefined,
};

/** @param folder - that the bundle is written into */
function bundleOf(entries: Readonly<Record<string, string>>, folder: string): RolldownOptions {
  const own = new Set(Object.values(entries));
  return {
    input: { ...entries },
    platform: "node",
    external: bundling.external
      .filter((name) => name !== "h5wasm")
      .map((name) => new RegExp(`^${name.replace("/*", "")}(/|$)`)),
    // None of our modules does anything by being loaded, so that a program gets of index.js what it uses.
    treeshake: { moduleSideEffects: (path) => (path.startsWith(dist) && !own.has(path) ? false : undefined) },
    // A module that most programs load anyway is also imported where it is needed late.
    // Changes by plugins stay within a line.
    checks: { ineffectiveDynamicImport: false, sourcemapBroken: false },
    plugins: [sourceLines, ownPlaces(folder), hdf5Apart],
  };
}

/** What is loaded whatever the command is. */
const always = new Set<string>();
function isAlways(path: string, importsOf: (path: string) => readonly string[]): boolean {
  if (always.size === 0) {
    const open = [commandLine];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (always.has(next)) continue;
      always.add(next);
      open.push(...importsOf(next));
    }
  }
  return always.has(path) && path !== commandLine;
}

async function bundleCommandLine(): Promise<void> {
  await using bundle = await rolldown(bundleOf({ sacla: commandLine }, `${dist}/bin`));
  await bundle.write({
    dir: `${dist}/bin`,
    format: "esm",
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: {
      groups: [
        {
          debugName: "start",
          name: (path, context) =>
            isAlways(path, (one) => context.getModuleInfo(one)?.importedIds ?? []) ? "start" : null,
        },
      ],
    },
  });
}

/** The modules that users import, and the programs that are started by their file. */
function entriesOfLibrary(): Record<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Readonly<Record<string, { readonly default?: string } | string>>;
  };
  const imported = Object.values(exports).flatMap((entry) =>
    typeof entry === "string" || entry.default?.endsWith(".js") !== true ? [] : [entry.default],
  );
  const started = ["cli/main", "cli/program", "cli/command-list", "cli/control-thread", "cli/reading-process"];
  started.push("cli/scan-process", "page/edge-thread", "reduce/engine/part-worker");
  const files = [...imported, ...started.map((name) => `dist/${name}.js`)].map((file) => join(root, file));
  return Object.fromEntries(files.map((file) => [relative(dist, file).replace(/\.js$/, ""), file]));
}

async function bundleLibrary(): Promise<void> {
  const compiled = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) =>
    /^(?!bin|web).*\.js(\.map)?$/.test(name),
  );
  await using bundle = await rolldown(bundleOf(entriesOfLibrary(), dist));
  const { output } = await bundle.write({
    dir: dist,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "shared/[name]-[hash].js",
  });
  const written = new Set<string>(output.map(({ fileName }) => fileName));
  for (const name of compiled) if (!written.has(name)) rmSync(join(dist, name));
}

await bundleCommandLine();
await bundleLibrary();
