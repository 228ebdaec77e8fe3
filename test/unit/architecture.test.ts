import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";

const src = resolve(import.meta.dirname, "../../src");

/** Rooms a room may import, besides itself. A folder of src that is not named here is an error. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  files: ["core"],
  transport: ["core", "files"],
  source: ["core", "transport"],
  ip: ["core"],
  plot: ["core"],
  db: ["core", "transport"],
  st: ["core", "transport"],
  live: ["core", "transport", "source"],
  ec: ["core", "files", "transport"],
  reduce: ["core", "transport", "db", "st", "live", "ip"],
  hdf5: ["core", "files", "transport", "source", "db", "st", "ip", "reduce"],
  facility: ["core", "files", "transport", "source", "st", "ec"],
  scan: ["core", "files", "transport", "plot", "db", "st", "ec"],
  server: ["core", "files", "transport", "live"],
  // The files directly in src: connect.ts puts the rooms together, index.ts names what users import.
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
  ],
};

/** Packages that only one room may know. */
const onlyIn: Record<string, readonly string[]> = {
  h5wasm: ["hdf5"],
  "apache-arrow": ["db"],
  "hyparquet-writer": ["db"],
  zeromq: ["transport", "server"],
  hono: ["server"],
  "@hono": ["server"],
  "@valibot": ["server"],
  "prom-client": ["server"],
  commander: ["cli"],
  pino: ["cli"],
  "ml-levenberg-marquardt": ["scan"],
  "ml-matrix": ["scan"],
  pngjs: ["plot"],
  valibot: ["transport", "ec", "facility"],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const roomOf = (file: string): string => (file.includes(sep) ? (file.split(sep)[0] ?? "") : "");

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
}

describe("the layers", () => {
  it("have every folder of src declared", () => {
    expect([...new Set(files.map(roomOf))].filter((room) => !(room in allowed))).toEqual([]);
  });

  it("import only to the left", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const room = roomOf(file);
      for (const target of importsOf(file).filter((name) => name.startsWith("."))) {
        const other = roomOf(relative(src, resolve(src, dirname(file), target)));
        if (other !== room && !(allowed[room] ?? []).includes(other)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("keep node: out of core and ip, and each foreign package in its room", () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const target of importsOf(file)) {
        const room = roomOf(file);
        if (target.startsWith("node:") && (room === "core" || room === "ip")) wrong.push(`${file} imports ${target}`);
        const home = onlyIn[target.split("/")[0] ?? ""];
        if (home !== undefined && !home.includes(room)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("keep files walkable: none over 450 lines", () => {
    const long = files.filter((file) => readFileSync(join(src, file), "utf8").split("\n").length > 450);
    expect(long).toEqual([]);
  });
});

describe("the unit tests", () => {
  it("use no sockets, no processes of ours and not the command line: that is test/integration", () => {
    const unit = import.meta.dirname;
    const tests = readdirSync(unit, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));
    const forbidden =
      /from "(?:node:(?:net|http|https|worker_threads)|zeromq|\S*\/support\/(?:cli|served|http|gateway|soak|fuzz-protocol|octal-process)\.ts|\S*\/cli\/program\.ts)"/;
    // keys.test.ts only makes CURVE keys with zeromq.
    const allowed = ["architecture.test.ts", "server/keys.test.ts"];
    expect(
      tests.filter((file) => !allowed.includes(file) && forbidden.test(readFileSync(join(unit, file), "utf8"))),
    ).toEqual([]);
  });
});
