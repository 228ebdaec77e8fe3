/** How programs are put into few files, by scripts/bundle-package.ts for users and by test/support/bundled.ts for tests. */
import { readFileSync } from "node:fs";
import type { BuildOptions, Plugin } from "esbuild";

export const bundling = {
  bundle: true,
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
} satisfies BuildOptions;

/**
 * A module that looks for files beside it does so where `place` puts it, not beside the bundle: an expression of
 * JavaScript, or undefined for a module of others.
 */
export function ownPlaces(place: (path: string) => string | undefined): Plugin {
  return {
    name: "own-places",
    setup({ onLoad }) {
      onLoad({ filter: /\.[jt]s$/ }, ({ path }) => {
        const expression = place(path);
        if (expression === undefined) return undefined;
        const text = readFileSync(path, "utf8");
        return { contents: text.replaceAll("import.meta.url", expression), loader: path.endsWith(".ts") ? "ts" : "js" };
      });
    },
  };
}
