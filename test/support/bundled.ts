import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { bundling, ownPlaces } from "../../scripts/bundling.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const src = join(root, "src");
/** As deep as `src`, so that package.json and docs are found from here, too. */
const made = join(root, "dist-tests");
const main = join(src, "cli/main.ts");
/** Programs of the command line's threads and processes, and itself. */
const commandLine = [
  ...["cli/main", "cli/control-thread", "cli/reading-process", "cli/scan-process"],
  ...["reduce/engine/part-worker", "page/edge-thread"],
].map((name) => join(src, `${name}.ts`));

/**
 * A program of TypeScript as one that Node.js starts without tsx, in a third of the processor time: its path. It is
 * made once, and again when a source has changed.
 */
export async function bundled(program: string = main): Promise<string> {
  const known = programs.get(program) ?? make(program);
  programs.set(program, known);
  return await known;
}

const programs = new Map<string, Promise<string>>();

async function make(program: string): Promise<string> {
  if (program !== main) await bundled(main);
  const target = placeOf(program);
  const newest = Math.max(newestSource(), statSync(program).mtimeMs);
  if (existsSync(target) && statSync(target).mtimeMs > newest) return target;
  const isMain = program === main;
  const entries = isMain ? commandLine : [program];
  const { outputFiles } = await build({
    ...bundling,
    entryPoints: Object.fromEntries(entries.map((path) => [placeOf(path).slice(made.length + 1, -3), path])),
    outdir: made,
    splitting: isMain,
    write: false,
    conditions: ["sacla-source"],
    plugins: [
      ownPlaces((path) =>
        path.startsWith(root) && !path.includes(`${sep}node_modules${sep}`)
          ? JSON.stringify(pathToFileURL(path.startsWith(src + sep) ? placeOf(path) : path).href)
          : undefined,
      ),
    ],
  });
  // The programs after the parts they load; another process may make the same at the same time.
  for (const { path, contents } of outputFiles.toSorted(
    (a, b) => Number(a.path === target) - Number(b.path === target),
  )) {
    mkdirSync(dirname(path), { recursive: true });
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, contents);
    renameSync(unfinished, path);
  }
  return target;
}

function placeOf(path: string): string {
  const name = path.replace(/\.m?ts$/, ".js");
  return path.startsWith(src + sep) ? made + name.slice(src.length) : join(made, "programs", basename(name));
}

let newest: number | undefined;

function newestSource(): number {
  newest ??= Math.max(
    ...["src", "test/support", "scripts"]
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
          .filter((file) => file.endsWith(".ts"))
          .map((file) => join(root, folder, file)),
      )
      .concat(join(root, "package-lock.json"))
      .map((file) => statSync(file).mtimeMs),
  );
  return newest;
}
