/**
 * `npm run build` ends with this: the command line of `dist/cli` in few files, `dist/bin`, so that a command starts in a
 * third of the time. What a command does not need stays in files that are not loaded.
 */
import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const dist = fileURLToPath(new URL("../dist", import.meta.url));

/** A module that looks for files beside it looks where it was compiled to, not beside the bundle. */
const ownPlaces: Plugin = {
  name: "own-places",
  setup({ onLoad, onResolve }) {
    // None of our modules does anything by being loaded, so that a command gets of index.js what it uses.
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      resolveDir.startsWith(dist) ? { path: resolve(resolveDir, path), sideEffects: false } : undefined,
    );
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(dist)) return undefined;
      const text = readFileSync(path, "utf8");
      const place = JSON.stringify(relative(`${dist}/bin`, path));
      return { contents: text.replaceAll("import.meta.url", `new URL(${place}, import.meta.url).href`), loader: "js" };
    });
  },
};

await build({
  entryPoints: { sacla: `${dist}/cli/main.js` },
  outdir: `${dist}/bin`,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
  // What has native parts or WebAssembly, and what only few commands load.
  external: [
    ...["zeromq", "h5wasm", "node-sqlite3-wasm", "pino", "prom-client", "hono", "@hono/*", "@valibot/*"],
    ...["hyparquet-writer", "@uwdata/*", "ml-levenberg-marquardt", "ml-matrix", "pngjs"],
  ],
  banner: {
    js: 'import{createRequire as sacla_require}from"node:module";const require=sacla_require(import.meta.url);',
  },
  plugins: [ownPlaces],
});
