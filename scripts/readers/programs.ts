/** The programs of others, each asked what it finds in what sacla wrote. */
import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { blueskyModules, hasPrograms, pythonWith } from "../../test/support/optional.ts";
import type { HdfOutput, Item, TableTruth } from "./outputs.ts";

const LONGEST_MS = 120_000;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What came of one output in one program; `absent`: the program is not installed here. */
export interface Cell {
  readonly is: "read" | "not read" | "absent";
  readonly why: string;
}

/** A program with what it made of each output, by the name of the output. */
export interface Row {
  readonly program: string;
  readonly version: string;
  readonly cells: Readonly<Record<string, Cell>>;
}

const read: Cell = { is: "read", why: "" };
const notRead = (why: string): Cell => ({ is: "not read", why: why.trim().split("\n").at(-1)?.slice(0, 300) ?? "" });
const absentRow = (program: string, outputs: readonly string[], why: string): Row => ({
  program,
  version: "",
  cells: Object.fromEntries(outputs.map((output) => [output, { is: "absent", why }])),
});

/** What a command prints; what it says when it fails is its error. */
async function ask(command: readonly string[], folder: string, input = ""): Promise<string> {
  const [program = "", ...args] = command;
  return await new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, stdio: ["pipe", "pipe", "pipe"], timeout: LONGEST_MS });
    let [out, err] = ["", ""];
    child.stdout.on("data", (part: Buffer) => (out += part.toString()));
    child.stderr.on("data", (part: Buffer) => (err += part.toString()));
    child.on("error", reject);
    // Octave complains at its end, after all is said.
    child.on("close", (code) => (code === 0 || out !== "" ? resolve(out) : reject(new Error(err))));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** A program that answers questions on its standard input, one line each: `=answer` or `!why not`. */
interface HdfReader {
  readonly program: string;
  /** Undefined where it is not installed. */
  readonly command: readonly string[] | undefined;
  readonly absent: string;
}

/** Programs that read HDF5 files, in the order of the page. */
async function hdfReaders(folder: string): Promise<HdfReader[]> {
  const python = (...modules: string[]): readonly string[] | undefined => {
    const found = pythonWith(...modules);
    return found === undefined ? undefined : [found, script("read.py")];
  };
  const with_ = (program: string, command: readonly string[] | undefined, absent: string): HdfReader => ({
    program,
    command,
    absent,
  });
  const compiled = hasPrograms("h5cc") ? [join(folder, "read-c")] : undefined;
  if (compiled !== undefined) await promisify(execFile)("h5cc", ["-o", "read-c", script("read.c")], { cwd: folder });
  const h5py = python("h5py", "numpy");
  const silx = python("silx.io", "h5py");
  return [
    with_("h5py", h5py && [...h5py, "h5py"], "no Python with h5py"),
    with_("silx", silx && [...silx, "silx"], "no Python with silx"),
    with_("C, HDF5", compiled, "no libhdf5-dev"),
    with_("GNU Octave", hasPrograms("octave-cli") ? ["octave-cli", script("read.m")] : undefined, "no Octave"),
    with_("R, hdf5r", hasPrograms("Rscript") ? ["Rscript", script("read.R")] : undefined, "no R"),
    with_(
      "Scilab",
      hasPrograms("scilab-cli") ? ["scilab-cli", "-nb", "-f", script("read.sce")] : undefined,
      "no Scilab",
    ),
  ];
}

/** What HDF5 readers make of files. */
export async function readHdf5(folder: string, outputs: Readonly<Record<string, HdfOutput>>): Promise<Row[]> {
  const questions = Object.values(outputs).flatMap(({ file, items }) => items.map((item) => ({ file, item })));
  const lines = questions.map(({ file, item }) => `${item.kind}\t${file}\t${item.path}\n`).join("");
  writeFileSync(join(folder, "questions.txt"), lines);
  const rows: Row[] = [];
  for (const { program, command, absent } of await hdfReaders(folder)) {
    if (command === undefined) rows.push(absentRow(program, Object.keys(outputs), absent));
    else rows.push(rowOf(program, await ask(command, folder, lines), outputs));
  }
  rows.push(await readByNcdump(folder, outputs));
  return rows;
}

function rowOf(program: string, said: string, outputs: Readonly<Record<string, HdfOutput>>): Row {
  const [head = "", ...rest] = said.split("\n");
  const answers = rest.filter((line) => /^[=!]/.test(line));
  let at = 0;
  const cells: Record<string, Cell> = {};
  for (const [name, { items }] of Object.entries(outputs)) {
    const wrong = items.flatMap((item) => differs(item, answers[at++] ?? "!no answer") ?? []);
    cells[name] = wrong.length === 0 ? read : notRead(wrong.join("; "));
  }
  return { program, version: head.trim().split(" ").at(-1) ?? "", cells };
}

/** What is wrong with an answer. */
function differs({ path, kind, expected }: Item, answer: string): string | undefined {
  if (answer.startsWith("!")) return `${path}: ${answer.slice(1)}`;
  const text = answer.slice(1);
  const found = kind === "numbers" ? text.split(" ").map(Number) : text.split("\t");
  const same = found.length === expected.length && found.every((value, i) => Object.is(value, expected[i]));
  if (same) return undefined;
  const at = found.findIndex((value, i) => !Object.is(value, expected[i]));
  return `${path}: ${found[at]} in place of ${expected[at]} (${found.length} of ${expected.length}, the first at ${at})`;
}

async function readByNcdump(folder: string, outputs: Readonly<Record<string, HdfOutput>>): Promise<Row> {
  if (!hasPrograms("ncdump")) return absentRow("ncdump", Object.keys(outputs), "no netcdf-bin");
  const cells: Record<string, Cell> = {};
  for (const [name, { file, items }] of Object.entries(outputs)) {
    const wrong: string[] = [];
    for (const item of items) {
      // Variables of the root have no slash.
      const variable = item.path.replace(/^\/(?=[^/]*$)/, "");
      const said = await ask(["ncdump", "-p", "17,17", "-v", variable, file], folder).catch(String);
      const leaf = item.path.slice(item.path.lastIndexOf("/") + 1);
      // Values are numbers or texts in quotes; those of attributes have a name with a colon.
      const data = new RegExp(`\\n\\s*${leaf} =\\s((?:"[^"]*"|[^";])*);`).exec(said)?.[1];
      const values = data?.match(/"[^"]*"|[^\s,]+/g)?.map((value) => value.replaceAll('"', ""));
      const line = values === undefined ? "!not printed" : `=${values.join(item.kind === "numbers" ? " " : "\t")}`;
      const difference = differs(item, line);
      if (difference !== undefined) wrong.push(difference);
    }
    cells[name] = wrong.length === 0 ? read : notRead(wrong.join("; "));
  }
  const usage = await promisify(execFile)("ncdump", []).catch((failed: { stderr?: string }) => failed);
  const version = /version ([\d.]+)/.exec(usage.stderr ?? "")?.[1] ?? "";
  return { program: "ncdump", version, cells };
}

/** Asks a Python program that answers as one JSON object with its version. */
async function askPython<T>(
  modules: readonly string[],
  name: string,
  args: readonly string[],
  folder: string,
): Promise<(T & { readonly version: string }) | Cell> {
  const python = pythonWith(...modules);
  if (python === undefined) return { is: "absent", why: `no Python with ${modules.join(", ")}` };
  try {
    return JSON.parse(await ask([python, script(name), ...args], folder)) as T & { version: string };
  } catch (error) {
    return notRead(error instanceof Error ? error.message : String(error));
  }
}

function isCell(answer: object): answer is Cell {
  return "is" in answer;
}

/** Asks one program about several outputs, and compares. @param wrong - what is wrong with an answer, or null */
async function row<T>(
  program: string,
  modules: readonly string[],
  name: string,
  questions: Readonly<Record<string, readonly string[]>>,
  folder: string,
  wrong: (answer: T, output: string) => string | null,
): Promise<Row> {
  let version = "";
  const cells: Record<string, Cell> = {};
  for (const [output, args] of Object.entries(questions)) {
    const answer = await askPython<T>(modules, name, args, folder);
    if (isCell(answer)) cells[output] = answer;
    else {
      version = answer.version;
      const difference = wrong(answer, output);
      cells[output] = difference === null ? read : notRead(difference);
    }
  }
  return { program, version, cells };
}

/** What programs make of tables. */
export async function readTables(folder: string, truth: TableTruth): Promise<Row[]> {
  const wrong = (answer: TableTruth): string | null => {
    for (const name of ["tags", "values", "status"] as const)
      if (JSON.stringify(answer[name]) !== JSON.stringify(truth[name])) return `${name}: ${answer[name].join(" ")}`;
    return null;
  };
  const rows: Row[] = [];
  for (const program of ["pandas", "polars", "duckdb"]) {
    const questions = { csv: [program, "csv"], arrow: [program, "arrow"], parquet: [program, "parquet"] };
    rows.push(await row<TableTruth>(program, [program, "pyarrow.feather"], "tables.py", questions, folder, wrong));
  }
  if (!hasPrograms("Rscript")) return [...rows, absentRow("R", ["csv"], "no R")];
  const said = JSON.parse(await ask(["Rscript", script("tables.R")], folder)) as TableTruth & { version: string };
  const difference = wrong(said);
  return [
    ...rows,
    { program: "R", version: said.version, cells: { csv: difference === null ? read : notRead(difference) } },
  ];
}

/** Panels of a geometry, each with corner, fast axis and ADU of a photon. */
type Panels = readonly (readonly [name: string, cnx: number, cny: number, fsx: number, fsy: number, adu: number])[];

/** What programs make of .geom files. @param names - of the panels */
export async function readGeometries(
  folder: string,
  files: Readonly<Record<string, string>>,
  names: readonly string[],
): Promise<Row[]> {
  const wrong = ({ panels, error }: { panels: Panels; error?: string }): string | null => {
    if (error !== undefined) return error;
    const found = panels.map(([name]) => name);
    const isWhole = panels.every((panel) => panel.slice(1).every((value) => Number.isFinite(value)));
    return JSON.stringify(found) === JSON.stringify(names) && isWhole ? null : JSON.stringify(panels);
  };
  const ask = async (program: string, module: string): Promise<Row> => {
    const questions = Object.fromEntries(Object.entries(files).map(([output, file]) => [output, [program, file]]));
    return await row<{ panels: Panels; error?: string }>(program, [module], "geom.py", questions, folder, wrong);
  };
  return [await ask("cfelpyutils", "cfelpyutils"), await ask("EXtra-geom", "extra_geom")];
}

/** What NeXus validators say of an NXmx file. */
export async function validateNexus(folder: string, file: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const program of ["nxvalidate", "punx"]) {
    const wrong = ({ errors }: { errors: string[] }): string | null => (errors.length === 0 ? null : errors.join("; "));
    const questions = { nxmx: [program, file] };
    rows.push(await row<{ errors: string[] }>(program, [program], "nexus.py", questions, folder, wrong));
  }
  return rows;
}

interface DxtbxAnswer {
  readonly format: string;
  readonly pixels?: readonly number[];
  readonly error?: string;
}

/** What dxtbx makes of files. @param files - of each output the file and the pixels of its first shot */
export async function readByDxtbx(
  folder: string,
  files: Readonly<Record<string, readonly [file: string, pixels: readonly number[]]>>,
): Promise<Row> {
  const wrong = ({ format, pixels, error }: DxtbxAnswer, output: string): string | null => {
    if (pixels === undefined) return `${format}: ${error}`;
    const expected = files[output]?.[1] ?? [];
    const at = pixels.findIndex((value, i) => value !== expected[i]);
    return at < 0 && pixels.length === expected.length ? null : `${format}: ${pixels[at]} in place of ${expected[at]}`;
  };
  const questions = Object.fromEntries(Object.entries(files).map(([output, [file]]) => [output, [file]]));
  return await row<DxtbxAnswer>("dxtbx (DIALS)", ["dxtbx.format", "h5py"], "by-dxtbx.py", questions, folder, wrong);
}

/** What the client of karabo-bridge receives. @param shots - of each shot its sensors with tag and pixels */
export async function readByKarabo(
  folder: string,
  address: string,
  shots: readonly (readonly (readonly [sensor: string, tag: number, pixels: readonly number[]])[])[],
): Promise<Row> {
  const wrong = (answer: { shots: typeof shots }): string | null =>
    JSON.stringify(answer.shots) === JSON.stringify(shots) ? null : "other images than were sent";
  const questions = { karabo: [address, String(shots.length)] };
  return await row<{ shots: typeof shots }>("karabo_bridge", ["karabo_bridge"], "karabo.py", questions, folder, wrong);
}

/** What Bluesky's own programs make of the documents of a scan of so many points. */
export async function readByBluesky(folder: string, documents: readonly unknown[], points: number): Promise<Row[]> {
  const python = pythonWith(...blueskyModules);
  const programs = ["bluesky", "tiled"];
  if (python === undefined) return programs.map((program) => absentRow(program, ["documents"], "no Python with tiled"));
  const versions = `import importlib.metadata as m; print(*(m.version(name) for name in ${JSON.stringify(programs)}))`;
  const [bluesky = "", tiled = ""] = (await ask([python, "-c", versions], folder)).trim().split(" ");
  const readers = fileURLToPath(new URL("../../test/support/bluesky-readers.py", import.meta.url));
  const { scan } = JSON.parse(await ask([python, readers], folder, JSON.stringify({ scan: documents }))) as {
    scan: { best_effort: { failed: string[] }; table: string; spec?: string; tiled: { rows: number } };
  };
  const { best_effort: best, table, spec } = scan;
  const isRead = best.failed.length === 0 && table.split("\n").length > points && spec?.includes("#S") === true;
  return [
    { program: "bluesky", version: bluesky, cells: { documents: isRead ? read : notRead(best.failed.join("; ")) } },
    {
      program: "tiled",
      version: tiled,
      cells: { documents: scan.tiled.rows === points ? read : notRead(`${scan.tiled.rows} of ${points} rows`) },
    },
  ];
}
