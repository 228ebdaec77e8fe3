/**
 * `npm run build` ends with this: the command line of `dist/cli` in few files, `dist/bin`, so that a command starts in a
 * third of the time. What a command does not need stays in files that are not loaded.
 */
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { bundling, ownPlaces } from "./bundling.ts";

const dist = fileURLToPath(new URL("../dist", import.meta.url));

/** None of our modules does anything by being loaded, so that a command gets of index.js what it uses. */
const withoutEffects: Plugin = {
  name: "without-effects",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      resolveDir.startsWith(dist) ? { path: resolve(resolveDir, path), sideEffects: false } : undefined,
    );
  },
};

await build({
  ...bundling,
  entryPoints: { sacla: `${dist}/cli/main.js` },
  outdir: `${dist}/bin`,
  splitting: true,
  minify: true,
  plugins: [
    withoutEffects,
    ownPlaces((path) =>
      path.startsWith(dist)
        ? `new URL(${JSON.stringify(relative(`${dist}/bin`, path))}, import.meta.url).href`
        : undefined,
    ),
  ],
});
