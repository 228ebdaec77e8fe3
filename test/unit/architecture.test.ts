import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { describe, expect, it } from "vitest";
import {
  circles,
  sourceFiles as files,
  folderCircles,
  homonyms,
  root,
  sourceOf,
  src,
  targetOf,
  unusedExports,
} from "../support/source.ts";

/** Modules (folders of src) that a module may import, besides itself. A folder of src that is not named here is an error. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  files: ["core"],
  transport: ["core", "files"],
  ip: ["core"],
  source: ["core", "transport", "ip"],
  plot: ["core"],
  optics: ["core"],
  db: ["core", "transport", "ip", "st"],
  st: ["core", "transport"],
  live: ["core", "transport", "source"],
  ec: ["core", "files", "transport"],
  reduce: ["core", "files", "transport", "db", "ip"],
  timing: ["core", "files", "db", "reduce", "scan"],
  hdf5: ["core", "files", "transport", "source", "db", "st", "ip", "reduce"],
  facility: ["core", "files", "transport", "source", "st", "ec", "optics"],
  scan: ["core", "files", "transport", "plot", "db", "st", "ec", "optics"],
  server: ["core", "files", "transport", "live"],
  page: ["core", "transport", "plot", "db", "st", "ip", "live", "reduce", "hdf5", "timing"],
  batch: ["core", "files", "transport", "db", "st", "ip", "reduce", "hdf5"],
  // The files directly in src: connect.ts puts the modules together, index.ts names what users import.
  "": ["core", "transport", "ip", "plot", "db", "st", "live", "ec", "reduce", "hdf5", "facility", "scan"],
  cli: [
    "",
    "server",
    "core",
    "files",
    "transport",
    "source",
    "ip",
    "plot",
    "db",
    "st",
    "live",
    "ec",
    "reduce",
    "hdf5",
    "facility",
    "scan",
    "timing",
    "page",
    "batch",
    "optics",
  ],
};

/** Packages that only these modules may know. */
const onlyIn: Record<string, readonly string[]> = {
  h5wasm: ["hdf5"],
  "@uwdata": ["db"],
  "hyparquet-writer": ["db"],
  zeromq: ["transport", "server"],
  hono: ["server"],
  "@hono": ["server"],
  "@valibot": ["server"],
  "prom-client": ["server"],
  commander: ["cli"],
  pino: ["cli"],
  "ml-matrix": ["scan"],
  "node-sqlite3-wasm": ["timing"],
  pngjs: ["plot"],
  valibot: ["transport", "ec", "facility", "batch"],
};

const page = "docs/architecture.md says what lives where";
const folderOf = (file: string): string => (file.includes(sep) ? (file.split(sep)[0] ?? "") : "");
const importsOf = (file: string): string[] => sourceOf(file).imports.map(({ from }) => from);

/** Classes that the facility's Python modules call alike, mirrored in two modules each. */
const mirrored = ["APIError", "StorageReader", "StorageBuffer"];

describe("the layers", () => {
  it("have every folder of src declared", () => {
    expect(
      [...new Set(files.map(folderOf))].filter((module) => !(module in allowed)),
      page,
    ).toEqual([]);
  });

  it("are those of docs/architecture.md, a line for each", () => {
    const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const named = [...text.matchAll(/^\| `src\/(\w+)` \|/gm)].map((match) => match[1] ?? "");
    expect(named.sort(), page).toEqual([...new Set(files.map(folderOf))].filter((folder) => folder !== "").sort());
  });

  it("are told in docs/architecture.md with files that are there", () => {
    const text = `${readFileSync(join(root, "docs/architecture.md"), "utf8")}${readFileSync(join(root, "CONTRIBUTING.md"), "utf8")}`;
    const paths = [...text.matchAll(/`((?:src|test|scripts|examples|kernels|docs)\/[\w/.-]*\w)`/g)].map(
      (match) => match[1] ?? "",
    );
    const modules = [
      ...text.matchAll(/`((?:cli|core|db|ec|hdf5|ip|live|plot|reduce|scan|server|source|st|transport)\/[\w/.-]+)`/g),
    ];
    paths.push(...modules.map((match) => `src/${match[1]}`));
    expect(paths.length).toBeGreaterThan(50);
    expect(
      paths.filter((path) => !path.includes("NAME") && !existsSync(join(root, path))),
      "gone or renamed",
    ).toEqual([]);
  });

  it("import only to the left", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const module = folderOf(file);
      for (const target of importsOf(file).filter((name) => name.startsWith("."))) {
        const other = folderOf(targetOf(file, target));
        if (other !== module && !(allowed[module] ?? []).includes(other)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong, page).toEqual([]);
  });

  it("go down the folders of src/scan as docs/architecture.md lists them", () => {
    const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const order = [...text.matchAll(/^\| `scan\/([\w-]+)` \|/gm)].map((match) => match[1] ?? "");
    const scan = files.filter((file) => dirname(dirname(file)) === "scan");
    expect([...new Set(scan.map((file) => basename(dirname(file))))].sort()).toEqual([...order].sort());
    const rank = (file: string): number => order.indexOf(basename(dirname(file)));
    const wrong = scan.flatMap((file) =>
      importsOf(file)
        .filter((from) => rank(targetOf(file, from)) > rank(file))
        .map((from) => `${file} imports ${from}`),
    );
    expect(wrong, page).toEqual([]);
  });

  it("keep node: out of core and ip, and each foreign package in its module", () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const target of importsOf(file)) {
        const module = folderOf(file);
        if (target.startsWith("node:") && (module === "core" || module === "ip"))
          wrong.push(`${file} imports ${target}`);
        const home = onlyIn[target.split("/")[0] ?? ""];
        if (home !== undefined && !home.includes(module)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong, page).toEqual([]);
  });

  it("keep files walkable: none over 450 lines", () => {
    const long = files.filter((file) => readFileSync(join(src, file), "utf8").split("\n").length > 450);
    expect(long).toEqual([]);
  });

  it("have no line over 120 characters: what the formatter leaves, strings and comments, is broken by hand", () => {
    const long = files.flatMap((file) =>
      readFileSync(join(src, file), "utf8")
        .split("\n")
        .flatMap((line, k) => ([...line].length > 120 ? [`${file}:${k + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });

  it("have no circles, types included: put what two files share into a third", () => {
    const found = circles();
    expect(found, page).toEqual([]);
  });

  it("have no circles between the folders of a module: put what two folders share into the module's own", () => {
    expect(folderCircles(), page).toEqual([]);
  });

  it("call no two things alike", () => {
    const found = homonyms().filter((line) => !mirrored.includes(line.split(":")[0] ?? ""));
    expect(found, "types, classes and functions that two files export under one name").toEqual([]);
  });

  it("export nothing that no other file imports", () => {
    expect(unusedExports(), "take the word export away").toEqual([]);
  });
});

describe("the tests", () => {
  it("of one module use no sockets, no processes of ours and not the command line: that is test/integration", () => {
    const tests = ["unit", "proofs"].flatMap((folder) =>
      readdirSync(join(root, "test", folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".test.ts"))
        .map((file) => join(folder, file)),
    );
    const forbidden =
      /from "(?:node:(?:net|http|https|worker_threads)|zeromq|\S*\/support\/(?:cli|served|http|gateway|soak|fuzz-protocol|octal-process)\.ts|\S*\/cli\/program\.ts)"/;
    // keys.test.ts only makes CURVE keys with zeromq.
    const allowed = ["unit/architecture.test.ts", "unit/server/keys.test.ts"];
    expect(
      tests.filter((file) => !allowed.includes(file) && forbidden.test(readFileSync(join(root, "test", file), "utf8"))),
    ).toEqual([]);
  });

  it("share no module with hooks of its own, which only the first file would have: use atFileEnd", () => {
    const support = join(root, "test/support");
    const hooked = readdirSync(support).filter(
      (file) =>
        file.endsWith(".ts") && /\b(?:before|after)(?:All|Each)\(/.test(readFileSync(join(support, file), "utf8")),
    );
    expect(hooked).toEqual(["setup.ts"]);
  });
});
