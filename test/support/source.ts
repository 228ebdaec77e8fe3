/** What the files of src import and export, types included, as the parser of Vite reads them: in a third of the time of the TypeScript compiler. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { parseSync } from "vite";

export const root: string = resolve(import.meta.dirname, "../..");
export const src: string = join(root, "src");

/** Files of src, such as `db/run.ts`; not what a build makes. */
export const sourceFiles: readonly string[] = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".ts") && !file.endsWith("kernel-binary.ts"),
);

export interface Import {
  /** As it is written: `../core/errors.ts`, `node:fs`. */
  readonly from: string;
  /** Undefined: all of it (`import * as`, `export *`, `import()`). */
  readonly names: readonly string[] | undefined;
}

export interface SourceFile {
  readonly imports: readonly Import[];
  /** Names of what the file itself declares and exports. */
  readonly exports: readonly string[];
  /** Of those, the names of types, classes and functions. */
  readonly things: readonly string[];
}

/** Reads one file, by its whole path. */
export function readSource(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const { module, comments } = parseSync(path, text);
  const { staticImports, staticExports } = module;
  const imports: Import[] = staticImports.map(({ moduleRequest, entries }) => ({
    from: moduleRequest.value,
    names: namesOf(entries.map(({ importName }) => importName)),
  }));
  // Calls of import() and types of it, which stand anywhere.
  for (const { 1: from = "", index } of text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g))
    if (!comments.some(({ start, end }) => start < index && index < end)) imports.push({ from, names: undefined });
  const exported: string[] = [];
  const things: string[] = [];
  for (const { start, end, entries } of staticExports) {
    const [from] = entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []);
    if (from !== undefined) imports.push({ from, names: namesOf(entries.map(({ importName }) => importName)) });
    const declared = /^export (?:default )?(?:declare )?(\w+)/.exec(text.slice(start, end))?.[1];
    // `export { a }` names what is declared elsewhere.
    if (declared === undefined || (declared === "type" && /^export type [{*]/.test(text.slice(start, end)))) continue;
    const list = declared === "const" || declared === "let" ? exported : things;
    for (const { localName } of entries) if (localName.name) list.push(localName.name);
  }
  return { imports, exports: [...new Set([...exported, ...things])], things: [...new Set(things)] };
}

/** Undefined: not a list of names. */
function namesOf(entries: readonly { readonly kind: string; readonly name?: string | null }[]): string[] | undefined {
  const names = entries.flatMap(({ kind, name }) => (kind === "Name" && name ? [name] : []));
  return names.length > 0 ? names : undefined;
}

const read = new Map<string, SourceFile>();

/** A file of src, read once. */
export function sourceOf(file: string): SourceFile {
  const found = read.get(file) ?? readSource(join(src, file));
  read.set(file, found);
  return found;
}

/** The file of src that a relative import of `file` names. */
export const targetOf = (file: string, from: string): string => relative(src, resolve(src, dirname(file), from));

/** Files that import each other, types included: each group once. */
export function circles(): string[][] {
  return circlesOf(new Map(sourceFiles.map((file) => [file, importsOf(file)])));
}

/** Folders inside a module that import each other. What its folders share stands in the module's own folder. */
export function folderCircles(): string[][] {
  const edges = new Map<string, string[]>();
  for (const file of sourceFiles.filter(isInside)) {
    const folder = dirname(file);
    const others = importsOf(file)
      .filter(isInside)
      .map((other) => dirname(other));
    edges.set(folder, [...(edges.get(folder) ?? []), ...others.filter((other) => other !== folder)]);
  }
  return circlesOf(edges);
}

/** Whether a file is in a folder of a module, not in the module's own. */
const isInside = (file: string): boolean => dirname(file).includes(sep);

/** The files of src that a file imports. */
function importsOf(file: string): string[] {
  return sourceOf(file)
    .imports.filter(({ from }) => from.startsWith("."))
    .map(({ from }) => targetOf(file, from));
}

function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const reached = new Map([...edges.keys()].map((node) => [node, reachable(node, edges)]));
  const groups = new Map<string, string[]>();
  for (const node of edges.keys()) {
    const group = [...(reached.get(node) ?? [])].filter((other) => reached.get(other)?.has(node)).sort();
    if (group.length > 0) groups.set(group.join(" "), group);
  }
  return [...groups.values()];
}

function reachable(from: string, edges: ReadonlyMap<string, readonly string[]>): Set<string> {
  const seen = new Set<string>();
  const rest = [...(edges.get(from) ?? [])];
  for (let file = rest.pop(); file !== undefined; file = rest.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    rest.push(...(edges.get(file) ?? []));
  }
  return seen;
}

/** Every export of src that no other file imports, tests, benches, scripts and examples included: `file: name`. */
export function unusedExports(): string[] {
  const used = new Map<string, Set<string>>();
  const whole = new Set<string>();
  const note = (path: string, { imports }: SourceFile): void => {
    for (const { from, names } of imports) {
      if (!from.startsWith(".")) continue;
      const target = relative(src, resolve(dirname(path), from));
      if (names === undefined) whole.add(target);
      const known = used.get(target) ?? new Set();
      for (const name of names ?? []) known.add(name);
      used.set(target, known);
    }
  };
  for (const file of sourceFiles) note(join(src, file), sourceOf(file));
  for (const folder of ["test", "bench", "scripts", "examples"]) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }))
      if (file.endsWith(".ts")) note(join(root, folder, file), readSource(join(root, folder, file)));
  }
  return sourceFiles
    .filter((file) => !file.endsWith("index.ts") && !whole.has(file))
    .flatMap((file) =>
      sourceOf(file)
        .exports.filter((name) => !used.get(file)?.has(name))
        .map((name) => `${file}: ${name}`),
    );
}

/** Names of types, classes and functions that more than one file of src exports: `name: files`. */
export function homonyms(): string[] {
  const homes = new Map<string, string[]>();
  for (const file of sourceFiles)
    for (const name of sourceOf(file).things) homes.set(name, [...(homes.get(name) ?? []), file]);
  return [...homes].filter(([, files]) => files.length > 1).map(([name, files]) => `${name}: ${files.join(", ")}`);
}
