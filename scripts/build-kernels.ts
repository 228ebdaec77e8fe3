/**
 * Compiles the AssemblyScript kernels of kernels/ to WebAssembly with SIMD and writes each as a module of base64 text
 * into the module that uses it. Runs after `npm ci` (prepare); nothing it makes is committed.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = new URL("../", import.meta.url);
/** Source → the module made from it. */
const kernels: Readonly<Record<string, string>> = {
  "kernels/assemble.ts": "src/ip/kernel-binary.ts",
  "kernels/common-mode.ts": "src/reduce/corrections/kernel-binary.ts",
  "kernels/covariance.ts": "src/reduce/reducers/covariance/kernel-binary.ts",
  "kernels/droplets.ts": "src/reduce/reducers/kernel-binary.ts",
  "kernels/facility.ts": "src/facility/kernel-binary.ts",
  "kernels/picture.ts": "src/page/kernel-binary.ts",
  "kernels/images.ts": "src/reduce/images/kernel-binary.ts",
  "kernels/reduce.ts": "src/reduce/engine/kernel-binary.ts",
  "kernels/timing.ts": "src/timing/kernel-binary.ts",
};

for (const [source, target] of Object.entries(kernels)) {
  if (!existsSync(new URL(source, root))) continue;
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      source,
      "--outFile",
      "out.wasm",
      "-O3",
      "--converge",
      "--noAssert",
      "--runtime",
      "stub",
      "--enable",
      "simd",
      "--importMemory",
    ],
    {
      readFile: (name: string, base: string) => {
        const file = new URL(name, new URL(`${base}/`, root));
        return existsSync(file) ? readFileSync(file, "utf8") : null;
      },
      writeFile: (_name: string, content: Uint8Array | string) => {
        if (typeof content !== "string") wasm = content;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || wasm === undefined) throw new Error(`${source} does not compile:\n${stderr.toString()}`);
  const text =
    `// Made by scripts/build-kernels.ts from ${source}.\nexport const kernelBinary: string =\n` +
    `  "${Buffer.from(wasm).toString("base64")}";\n`;
  const file = fileURLToPath(new URL(target, root));
  // Left alone when it is the same, so that watchers do not rebuild.
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}
