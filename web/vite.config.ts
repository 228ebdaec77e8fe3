import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Beside each file the same compressed, so that the server need not do it. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  writeBundle({ dir = "" }, bundle) {
    for (const name of Object.keys(bundle)) {
      const bytes = readFileSync(join(dir, name));
      const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
      writeFileSync(join(dir, `${name}.br`), brotliCompressSync(bytes, quality));
      writeFileSync(join(dir, `${name}.gz`), gzipSync(bytes, { level: 9 }));
    }
  },
};

/**
 * What the page uses of the library's sources is the same code that runs in Node.js, but for these few modules: those of
 * Node.js itself, and files on disk, which a browser has not.
 */
const inBrowser: Plugin = {
  name: "in-browser",
  enforce: "pre",
  resolveId(source, importer) {
    if (source.startsWith("node:")) return here(`shims/node-${basename(source.slice("node:".length))}.ts`);
    if (source === "ndarray") return here("shims/ndarray.ts");
    // Imported by @h5web/lib for nothing that is used here.
    if (source === "ndarray-ops") return here("shims/nothing.ts");
    const isFiles = /(?:^|\/)files\/index\.ts$/.test(source) && importer?.includes("/src/") === true;
    return isFiles ? here("shims/files.ts") : null;
  },
};

export default defineConfig({
  root: here("."),
  base: "./",
  plugins: [inBrowser, compressed],
  resolve: { conditions: ["sacla-source", "browser", "import", "default"] },
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    target: "es2023",
    sourcemap: false,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    assetsInlineLimit: 0,
  },
});
