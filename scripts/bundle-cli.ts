/**
 * `npm run build` ends with this: the command line of `dist/cli` in few files, `dist/bin`, so that a command starts in a
 * third of the time. What every command loads is one file, since each file costs half a millisecond; what a command does
 * not need stays in files that are not loaded.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { type Plugin, type RolldownOptions, rolldown } from "rolldown";
import { bundling } from "./bundling.ts";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const entry = `${dist}/cli/main.js`;

/** A module that looks for files beside it does so where it lies in `dist`. */
const ownPlaces: Plugin = {
  name: "own-places",
  transform: (code, path) =>
    path.startsWith(dist) && code.includes("import.meta.url")
      ? code.replaceAll(
          "import.meta.url",
          `new URL(${JSON.stringify(relative(`${dist}/bin`, path))}, import.meta.url).href`,
        )
      : undefined,
};

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
      this.emitFile({ type: "asset", fileName: "hdf5.wasm", source: Buffer.from(text, "latin1") });
      const licence = readFileSync(join(dirname(path), "../../LICENSE.txt"), "utf8");
      this.emitFile({ type: "asset", fileName: "hdf5-LICENSE.txt", source: licence });
      const read = 'readHdf5(new URL("hdf5.wasm", import.meta.url)';
      return `import { readFileSync as readHdf5 } from "node:fs";\n${code.slice(0, from)}${read}${code.slice(to + 1)}`;
    },
  },
};

const input: RolldownOptions = {
  input: { sacla: entry },
  platform: "node",
  external: bundling.external
    .filter((name) => name !== "h5wasm")
    .map((name) => new RegExp(`^${name.replace("/*", "")}(/|$)`)),
  // None of our modules does anything by being loaded, so that a command gets of index.js what it uses.
  treeshake: { moduleSideEffects: (path) => (path.startsWith(dist) && path !== entry ? false : undefined) },
  // A module that most commands load anyway is also imported where it is needed late.
  checks: { ineffectiveDynamicImport: false },
  plugins: [ownPlaces, hdf5Apart],
};

/** What is loaded whatever the command is. */
const always = new Set<string>();
function isAlways(path: string, importsOf: (path: string) => readonly string[]): boolean {
  if (always.size === 0) {
    const open = [entry];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (always.has(next)) continue;
      always.add(next);
      open.push(...importsOf(next));
    }
  }
  return always.has(path) && path !== entry;
}

await using bundle = await rolldown(input);
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
