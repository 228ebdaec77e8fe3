/**
 * Installs the package as users do and tries all of it: `npm run check:package [-- TARBALL]` packs it (or takes the
 * tarball), installs it into an empty folder and under a global prefix, imports and requires every subpath, runs the
 * programs of README, follows the links of its pages, and runs every command the program lists in an empty folder,
 * offline. A command without a run here fails the check.
 *
 * It tries the Node.js of PATH; with `SACLA_RUNTIME="deno run -A"` or `SACLA_RUNTIME=bun` these instead, over HTTP.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { brokenLinks } from "./docs/links.ts";

const COMMAND_LIMIT_MS = 300_000;
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sacla-package-"));
const local = join(folder, "local");
const global = join(folder, "global");
/** Where commands run; empty at first. */
const work = join(folder, "work");
const { SACLA_URL: _, SACLA_RUNTIME: runtime, ...own } = process.env;
/** How a program is started. */
const runner: readonly string[] = runtime?.split(" ") ?? [process.execPath, "--no-warnings"];
/** How the installed program is started: by its name, or by another runtime. */
const sacla: readonly string[] =
  runtime === undefined
    ? [join(global, "bin", "sacla")]
    : [...runner, join(local, "node_modules/sacla/dist/cli/main.js")];
const hasZeromq = runtime === undefined;
/** Journals of scans that nobody named go where all else goes that is removed. */
const env: Record<string, string | undefined> = { ...own, XDG_STATE_HOME: join(folder, "state") };
/** Fails whatever looks beyond this computer. */
const offlineModule = `import dns from "node:dns";
import net from "node:net";
const isHere = (host) => host === undefined || /^(127\\.|localhost$|::1$)/.test(host);
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [target, second] = Array.isArray(args[0]) ? args[0] : args;
  const host = typeof target === "object" && target !== null ? target.host : typeof second === "string" ? second : undefined;
  if (!isHere(host)) throw new Error("offline, but asks " + host);
  return connect.apply(this, args);
};
const { lookup } = dns;
dns.lookup = (name, ...rest) => {
  if (!isHere(name)) throw new Error("offline, but looks up " + name);
  return lookup(name, ...rest);
};
`;

interface Run {
  /** What stdout must match. */
  readonly says: RegExp;
  /** What stderr must match. */
  readonly errs?: RegExp;
  /** A file that must be written and not be empty. */
  readonly writes?: string;
  /** @default 0 */
  readonly code?: number;
}

const detector = "MPCCD-8N0-3-002";
const sensor = `${detector}-1`;
const pictures = ["1520000", sensor, "-n", "2"];
const converted = ["convert", "1520000", "-n", "2", "--detector", sensor, "--signal", "none", "-o", "run.h5"];
const scan = ["scan", "bl3_st2_pm001", "11900", "12100", "2", "--shots", "2", "--shutter", "bl3_shutter1", "--yes"];

const bragg = "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage";
const rocked = [
  "--signal",
  bragg,
  "--shots",
  "3",
  "--shutter",
  "bl3_shutter1",
  "--go",
  "peak",
  "--no-journal",
  "--yes",
];

/** One run at least of every command that ends by itself, in this order: later ones read what earlier ones wrote. */
const runs: readonly (readonly [args: readonly string[], run: Run])[] = [
  [["--help"], { says: /Usage: sacla/ }],
  [["runs", "-n", "3"], { says: /1520000 +stopped/ }],
  [["info", "1520000"], { says: /HighTag +202501/ }],
  [["detectors", "1520000"], { says: new RegExp(sensor) }],
  [["signals", "bm_1_pd"], { says: /xfel_bl_3_tc_bm_1_pd\/charge/ }],
  [["tags", "1520000", "--class", "on"], { says: /^1606969\d\d$/m }],
  [
    ["values", "1520000", "xfel_bl_3_tc_bm_1_pd/charge", "-n", "2", "-o", "v.arrow"],
    { says: /v\.arrow/, writes: "v.arrow" },
  ],
  [
    ["values", "1520000", "xfel_bl_3_tc_bm_1_pd/charge", "-n", "2", "-o", "v.parquet"],
    { says: /v\.parquet/, writes: "v.parquet" },
  ],
  [["scatter", "1520000", "BM1", "BM2", "-o", "s.svg"], { says: /r = 0\.\d/, writes: "s.svg" }],
  [["cube", "1520000", "xfel_bl_3_st_2_motor_1/position", "BM2"], { says: /on \/ off/ }],
  [
    [
      ...["raster", "bl3_st2_pm040", "0", "100", "2", "bl3_st2_pm041", "0", "0", "1", "--shutter", "bl3_shutter1"],
      ...["--no-journal", "--yes"],
    ],
    { says: /done: 2 points/, writes: "chip.map" },
  ],
  [["config"], { says: /default: sim:/ }],
  [["completion", "bash"], { says: /complete -o default/ }],
  [["diff", ...pictures, "-o", "diff.png"], { says: /pumped − \d+ unpumped/, writes: "diff-significance.png" }],
  [["watch", "-n", "2", "--runs", "1", "--bl", "3"], { says: /1520000/ }],
  [["image", "1520000", detector, "-o", "image.png"], { says: /image\.png/, writes: "image.png" }],
  [["tma", "1520000", "-o", "tma.csv"], { says: /300 shots/, writes: "tma.csv" }],
  [["tma", "create", "1520000"], { says: /TMA id 1/, writes: "tma.sqlite" }],
  [["tma", "run", "1", "1520000"], { says: /300 shots/ }],
  [["tma", "csv", "1", "-o", "tma-udb.csv"], { says: /300 shots/, writes: "tma-udb.csv" }],
  [["tma", "h5", "1", "-o", "tma.h5"], { says: /300 shots/, writes: "tma.h5" }],
  // The stage of this run stood still: refused on stderr, with code 1.
  [["tma", "scale", "1", "1520000"], { says: /^/, code: 1 }],
  [["tma", "list"], { says: /OPAL/ }],
  [["tma", "delete", "1"], { says: /TMA id 1 deleted with 300 edges/ }],
  // Two shots show too few points on rings: refused on stderr, with code 1.
  [["calibrate", "1520000", detector, "--calibrant", "LaB6", "--distance", "55", "-n", "2"], { says: /^/, code: 1 }],
  [["average", ...pictures, "-o", "average.png"], { says: /average\.png/, writes: "average.png" }],
  [
    ["reduce", "1520000", "request.json", "-o", "reduced.h5", "--shards", "2"],
    { says: /reduced\.h5: 4 of/, writes: "reduced.h5" },
  ],
  // Made and merged already, and its folder is gone: refused on stderr.
  [["reduce-job", "merge", "reduced.h5.parts"], { says: /^/, code: 1 }],
  [["histogram", ...pictures, "-o", "histogram.svg"], { says: /histogram\.svg/, writes: "histogram.svg" }],
  // No calibration shots there: refused on stderr.
  // The sample there answers the pump with its rings, not with a diode: refused on stderr.
  [["delay-scan", "1520000", "--of", "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage"], { says: /^/, code: 1 }],
  [["emission", ...pictures], { says: /^/, code: 2 }],
  [
    ["assemble", ...pictures, "--method", "area", "-o", "assembled.png"],
    { says: /assembled\.png/, writes: "assembled.png" },
  ],
  [converted, { says: /run\.h5/, writes: "run.h5" }],
  [["validate", "run.h5"], { says: /./ }],
  [
    ["convert", "1520000", "-n", "2", "--class", "exposed", "--for", "crystfel", "-o", "hits.h5"],
    { says: /indexamajig -g hits\.geom/, writes: "hits.geom" },
  ],
  [["geometry", "compare", "hits.geom", "1520000"], { says: /all \(mean\)/ }],
  [["geometry", "write", "hits.geom", "1520000", "-o", "moved.geom"], { says: /moved\.geom/, writes: "moved.geom" }],
  [["stats", "run.h5"], { says: new RegExp(sensor) }],
  [["replay", "run.h5"], { says: /./ }],
  [["add-signals", "1520000", "run.h5", "xfel_bl_3_tc_bm_2_pd/charge"], { says: /1520000 in run.h5/ }],
  [["demo", "--json", "--limit", "2"], { says: /"brightest":\[/, writes: "report.html" }],
  [["keys", "new", "laptop", "--json"], { says: /"token":"/, writes: "sacla-keys.json" }],
  [["keys", "list"], { says: /laptop/ }],
  [["keys", "revoke", "laptop"], { says: /laptop/ }],
  [["live", "--limit", "3", "--json"], { says: /"used":3/ }],
  [["axes"], { says: /bl3_st2_pm001 +axis/ }],
  [["move", "bl3_st2_pm001=30", "-r", "--yes"], { says: /bl3_st2_pm001 is at 12030/ }],
  [["rock", "bl3_st4_pm036", "500", "1300", "41", ...rocked], { says: /stands at 9\d\d pulse, the peak/ }],
  // No experiment says what the optics are: refused on stderr.
  // Without an experiment file that says which axes are which: refused on stderr, with code 2.
  [["energy"], { says: /^/, code: 2 }],
  [["sdo"], { says: /^/, code: 2 }],
  [["energy", "edge", "9978.2", "9958", "9998", "41", "--signal", "foil_diode", "--dry-run"], { says: /^/, code: 2 }],
  [["sdo", "align", "--dry-run"], { says: /^/, code: 2 }],
  [["sdo", "learn", "--delays=-2,2,6", "--dry-run"], { says: /^/, code: 2 }],
  [["sdo", "zero", "-0.05", "0.05", "41", "--dry-run"], { says: /^/, code: 2 }],
  [["delay-scan", "live", "delay", "-2", "6", "--of", "diode", "--dry-run"], { says: /^/, code: 2 }],
  [
    ["delay-scan", "shared", "delay", "-2", "6", "9", "--of", "diode", "--error", "0.01", "--dry-run"],
    { says: /^/, code: 1 },
  ],
  [["shutter", "bl3_shutter1", "open", "--yes"], { says: /bl3_shutter1 is open/ }],
  [["stop", "--json"], { says: /"stopped":\[\]/ }],
  [
    [
      ...["optimise", "bl3_quad_1=-1:1:0.4", "--signal", "xfel_bl_3_tc_bm_1_pd/charge"],
      ...["--shutter", "bl3_shutter1", "--dry-run"],
    ],
    { says: /nothing was done/ },
  ],
  [["requests", "ask", "bl3_chicane1=60", "--dry-run"], { says: /nobody was asked/ }],
  [["set", "bl3_attenuator1", "25", "--yes"], { says: /bl3_attenuator1 is 25/ }],
  [["sim"], { says: /^sim: has its devices where they were left/ }],
  [["run", "state"], { says: /run 1520000/ }],
  [["presets", "save", "night"], { says: /bl3_st2_pm001/, writes: "presets.jsonl" }],
  [["lease"], { says: /beamline 3/ }],
  [[...scan, "--journal", "scan.journal", "--json"], { says: /"outcome":"done"/, writes: "scan.journal" }],
  [["plan", "dry-run", "plan.mjs"], { says: /./ }],
  [["python", "--", "-c", "print(6 * 7)"], { says: /^42$/m }],
  // Of an empty stdin: it opens its connection, and ends.
  [["shell"], { says: /left sim:/ }],
  [["sim", "reset"], { says: /^sim: begins anew/ }],
  // The scan is done: that its journal is read and understood is all that can be asked here.
  [["resume", "scan.journal", "--yes", "--json"], { says: /nothing to resume/, code: 2 }],
];

/** A module as the docs recommend for plans: it imports the installed package. */
const planModule = `import { scan } from "sacla/scan";
export default scan({ axis: "bl3_st2_pm001", from: 0, to: 10, points: 2, shots: 1 });
`;

interface Serving {
  /** What the command printed as JSON when it was ready. */
  readonly ready: { readonly addresses: readonly string[] };
  stop(): Promise<void>;
}

/** Every command that runs until it is stopped: started on free ports, asked once, stopped. */
const servers: Readonly<Record<string, () => Promise<void>>> = {
  view: async () => {
    const server = await started(["view", "sim:", "--no-open", "--port", "0", "--json"]);
    const [url = ""] = server.ready.addresses;
    const page = await (await fetch(url)).text();
    const script = /src="\.(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "no script in the page";
    const answer = await fetch(url + script);
    if (!answer.ok) throw new Error(`${script} of the page: ${answer.status}`);
    await server.stop();
  },
  serve: async () => {
    const overZmq = hasZeromq ? ["--zmq", "tcp://127.0.0.1:*"] : [];
    const server = await started(["serve", "sim:", ...overZmq, "--http", "127.0.0.1:0"]);
    for (const url of server.ready.addresses) await run(["runs", "--url", url], { says: /1520000/ });
    await server.stop();
  },
  "replay-live": async () => {
    const at = hasZeromq ? ["--zmq", "tcp://127.0.0.1:*"] : ["--http", `${await freePort()}`];
    const server = await started(["replay-live", "1520000", ...at, "--speed", "max"]);
    const [url = ""] = server.ready.addresses;
    await run(["live", "--url", url, "--limit", "2", "--json"], { says: /"used":2/ });
    await server.stop();
  },
  "madoca-rehearsal": async () => {
    const limits = { limitsPulses: [-2000, 80_000], speed: 5000, speedLimits: [10, 20_000] };
    const ramps = { accelerationPulsesPerS2: 20_000, backlashPulses: 0 };
    const info = { kind: "axis", name: "bl3_st2_pm001", syncdb: null, meaning: "delay", ...limits, ...ramps };
    const devices = [{ object: "bl_3_st2_pm001", info }];
    const madoca = { host: "127.0.0.1", port: await freePort(), beam: "bl_3_beam", devices };
    writeFileSync(join(work, "madoca.json"), JSON.stringify({ name: "installed", bl: 3, madoca }));
    const rehearsal = await started(["madoca-rehearsal", "madoca.json"]);
    const server = await started(["serve", "sim:", "--madoca", "madoca.json", "--http", "127.0.0.1:0"]);
    await run(["axes", "--url", server.ready.addresses[0] ?? ""], { says: /bl3_st2_pm001/ });
    await server.stop();
    await rehearsal.stop();
  },
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/** Runs a command to its end. @throws when its code, its output or its file is not as stated */
async function run(args: readonly string[], { says, errs, writes, code = 0 }: Run): Promise<string> {
  const { status, out, err } = await new Promise<{ status: unknown; out: string; err: string }>((done) => {
    const [program = "", ...first] = sacla;
    const options = { cwd: work, env, timeout: COMMAND_LIMIT_MS };
    const child = execFile(program, [...first, ...args], options, (error, out, err) =>
      done({ status: error === null ? 0 : error.code, out, err }),
    );
    child.stdin?.end();
  });
  const told = `${out}\n${err}`.slice(0, 2000);
  if (status !== code) throw new Error(`sacla ${args.join(" ")} ended with ${status} instead of ${code}: ${told}`);
  if (!says.test(out)) throw new Error(`sacla ${args.join(" ")} does not say ${says}: ${told}`);
  if (errs !== undefined && !errs.test(err)) throw new Error(`sacla ${args.join(" ")} does not say ${errs}: ${told}`);
  if (writes !== undefined && !(existsSync(join(work, writes)) && statSync(join(work, writes)).size > 0))
    throw new Error(`sacla ${args.join(" ")} wrote no ${writes}: ${told}`);
  return out;
}

/** A plan that imports the package as a program of the user's would. */
function givePlan(): void {
  writeFileSync(join(work, "plan.mjs"), planModule);
  mkdirSync(join(work, "node_modules"), { recursive: true });
  symlinkSync(join(local, "node_modules/sacla"), join(work, "node_modules/sacla"));
}

const children = new Set<ChildProcess>();

async function started(args: readonly string[]): Promise<Serving> {
  const [program = "", ...first] = sacla;
  const child = spawn(program, [...first, ...args, "--json"], { cwd: work, env, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const ended = new Promise<number | null>((done) => child.on("close", done));
  const line = await Promise.race([
    new Promise<string>((done) => createInterface(child.stdout).once("line", done)),
    ended.then((code) => Promise.reject(new Error(`sacla ${args.join(" ")} ended with ${code}: ${err}`))),
    new Promise<never>((_, fail) =>
      setTimeout(() => fail(new Error(`sacla ${args.join(" ")} is not ready: ${err}`)), COMMAND_LIMIT_MS).unref(),
    ),
  ]);
  const stop = async (): Promise<void> => {
    child.kill("SIGINT");
    const code = await ended;
    children.delete(child);
    if (code !== 0) throw new Error(`sacla ${args.join(" ")} ended with ${code} at Ctrl+C: ${err}`);
  };
  const ready = JSON.parse(line) as Serving["ready"];
  if ("error" in ready) throw new Error(`sacla ${args.join(" ")} says ${line}`);
  return { ready, stop };
}

/** The commands that the help of the installed program lists, asked in one process; of `keys`, `keys new` and so on. */
function commandsOfHelp(): string[] {
  const program = `
    import { runCli } from "./node_modules/sacla/dist/cli/program.js";
    const helpOf = async (path) => {
      let help = "";
      const io = { out: (text) => { help += text; }, err: (text) => { throw new Error(text); }, isTerminal: false,
        confirm: undefined, env: {}, signal: new AbortController().signal, writeFile: () => {} };
      const code = await runCli([...path, "--help"], io);
      if (code !== 0 || !help.includes("Usage: sacla")) throw new Error(path.join(" ") + " --help: " + code + help);
      return help;
    };
    const commandsOf = async (path) => {
      const [before = ""] = (await helpOf(path)).split(/^Examples:$/m);
      // The commands themselves stand below what they are for.
      const listed = path.length === 0 ? before : (before.split(/^Commands:$/m)[1] ?? "");
      const names = [...listed.matchAll(/^ {2}([a-z][\\w-]*)/gm)].map((match) => match[1]);
      const below = [];
      for (const name of names) if (name !== "help") below.push(...(await commandsOf([...path, name])));
      return below.length === 0 ? [path.join(" ")] : below;
    };
    console.log(JSON.stringify(await commandsOf([])));`;
  writeFileSync(join(local, "commands.mjs"), program);
  return JSON.parse(runHere(["commands.mjs"])) as string[];
}

/** TypeScript must have rewritten every import of a .ts file. @throws when one is left */
function checkCompiledFiles(): void {
  const dist = join(local, "node_modules/sacla/dist");
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  const left = files.filter((file) =>
    /^(?!\s*(?:\*|\/\/)).*\b(?:from|import)\s*\(?\s*"\.[^"]*\.ts"/m.test(readFileSync(join(dist, file), "utf8")),
  );
  if (files.length === 0 || left.length > 0) throw new Error(`imports of .ts files in dist: ${left.join(", ")}`);
}

/** Imports and requires every subpath, from the folder of a user's program. */
function checkExports(): void {
  const program = `
    import { createRequire } from "node:module";
    import { readFileSync } from "node:fs";
    const require = createRequire(import.meta.url);
    const { exports } = JSON.parse(readFileSync("node_modules/sacla/package.json", "utf8"));
    for (const name of Object.keys(exports).filter((key) => key !== "./package.json")) {
      const module = await import("sacla" + name.slice(1));
      const names = Object.keys(module).length;
      if (names === 0) throw new Error(name + " exports nothing");
      if (Object.keys(require("sacla" + name.slice(1))).length !== names) throw new Error(name + ": require differs");
      console.log(name, names, "exports");
    }`;
  writeFileSync(join(local, "check.mjs"), program);
  process.stdout.write(runHere(["check.mjs"]));
}

/** Runs a program in the folder of a user's. */
function runHere(args: readonly string[]): string {
  const [program = "", ...first] = runner;
  return execFileSync(program, [...first, ...args], { cwd: local, env, encoding: "utf8" });
}

/** Runs the first programs of README as pasted into a folder that `npm init` has made. @throws when one fails */
function checkReadme(): void {
  const text = readFileSync(join(local, "node_modules/sacla/README.md"), "utf8");
  const withTsx = [join(root, "node_modules/tsx/dist/cli.mjs"), "first.mts"];
  const isOldNode = runtime === undefined && Number(process.versions.node.split(".")[0]) < 24;
  const programs = [
    { language: "ts", file: "first.mts", says: /ADU\n$/ },
    { language: "js", file: "first.mjs", says: /240 shots with beam\n$/ },
  ];
  for (const { language, file, says } of programs) {
    const [, program = ""] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "ms").exec(text) ?? [];
    writeFileSync(join(local, file), program);
    const ways = [[file]];
    if (language === "ts" && runtime === undefined) ways.splice(0, isOldNode ? 1 : 0, withTsx);
    for (const way of ways) {
      const out = runHere(way);
      if (!says.test(out)) throw new Error(`${file} of README says ${out}`);
      console.log(`ok     ${file} of README${way === withTsx ? ", with tsx" : ""}`);
    }
  }
}

/** The first program of README has no fault of types, strictly, and with the library of types checked too. */
async function checkTypes(): Promise<void> {
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "esnext", "--types", "node"];
  const types = ["--typeRoots", join(root, "node_modules/@types")];
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, ...options, ...types, "first.mts"], { cwd: local }).catch(
    ({ stdout }: { readonly stdout: string }) => Promise.reject(new Error(stdout)),
  );
}

/** The lines of docs/jobs.md, each in a shell of its own as they stand there, with the experiment file of the examples. */
async function checkJobs(step: (name: string, work: () => Promise<unknown>) => Promise<void>): Promise<void> {
  const at = join(folder, "jobs");
  const installed = join(local, "node_modules/sacla");
  mkdirSync(at);
  copyFileSync(join(installed, "examples/experiment.json"), join(at, "experiment.json"));
  writeFileSync(join(at, "sacla.json"), JSON.stringify({ experiment: "experiment.json", as: "check" }));
  const page = readFileSync(join(installed, "docs/jobs.md"), "utf8");
  const lines = [...page.matchAll(/^\| \d+\. [^|]*\| `([^`]*)`/gm)].map((match) => match[1] ?? "");
  if (lines.length !== 15) throw new Error(`docs/jobs.md has ${lines.length} jobs instead of 15`);
  // With a state of its own, for commands beside these move axes of the facility that sim: keeps.
  const state = join(at, "state");
  const inShell = {
    cwd: at,
    env: { ...env, XDG_STATE_HOME: state, PATH: `${join(global, "bin")}:${env["PATH"] ?? ""}` },
  };
  for (const line of lines) {
    if (line.length > 100) throw new Error(`longer than 100 characters: ${line}`);
    // Something must have been killed before it can go on.
    if (line.startsWith("sacla resume")) await killedScan(inShell);
    await step(line.slice("sacla ".length), async () => {
      await new Promise<void>((done, fail) => {
        execFile("sh", ["-c", line], { ...inShell, timeout: 5 * COMMAND_LIMIT_MS }, (error, out, err) =>
          error === null ? done() : fail(new Error(`${error.message}: ${out.slice(-500)} ${err.slice(-500)}`)),
        );
      });
    });
  }
}

/** A scan that is killed after its second point. */
async function killedScan(inShell: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<void> {
  const args = ["scan", "delay", "77", "80", "6", "--shots", "5", "--signal", "diode", "--shutter", "xrays", "--yes"];
  const child = spawn("sacla", args, { ...inShell, stdio: ["ignore", "ignore", "pipe"] });
  children.add(child);
  const ended = new Promise((done) => child.on("close", done));
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    if (/^point 2 of 6/m.test(err)) child.kill("SIGKILL");
  });
  await ended;
  children.delete(child);
}

/** What another runtime cannot do is refused, with the way that works. @throws when it is not */
async function checkRefusals(): Promise<void> {
  for (const args of [
    ["runs", "--url", "tcp://127.0.0.1:9"],
    ["runs", "--url", "ipc:///nowhere"],
    ["serve", "sim:", "--zmq", "tcp://127.0.0.1:*"],
    ["replay-live", "1520000", "--zmq", "tcp://127.0.0.1:*"],
  ])
    await run([...args, "--json"], { says: /"NO_ZEROMQ".*http:\/\//, code: 1 });
}

const npm = async (args: readonly string[], cwd: string): Promise<string> =>
  (await promisify(execFile)("npm", ["--silent", ...args], { cwd, env })).stdout;

async function check(): Promise<void> {
  const given = process.argv[2];
  const tarball =
    given === undefined
      ? join(folder, (await npm(["pack", "--pack-destination", folder], root)).trim().split("\n").at(-1) ?? "")
      : resolve(given);
  mkdirSync(local);
  mkdirSync(work);
  await npm(["init", "-y"], local);
  const quiet = ["--no-audit", "--no-fund", tarball];
  await Promise.all([
    npm(["install", ...quiet], local),
    npm(["install", "--global", "--prefix", global, ...quiet], folder),
  ]);
  checkCompiledFiles();
  const broken = brokenLinks(join(local, "node_modules/sacla"));
  if (broken.length > 0) throw new Error(`links of the installed package that lead nowhere: ${broken.join(", ")}`);
  checkExports();
  checkReadme();
  execFileSync(process.execPath, [join(local, "node_modules/.bin/sacla"), "--version"], {
    cwd: local,
    stdio: "inherit",
  });
  writeFileSync(
    join(work, "request.json"),
    JSON.stringify({ detectors: [sensor], limit: 4, reducers: { average: { kind: "mean" } } }),
  );
  writeFileSync(join(folder, "offline.mjs"), offlineModule);
  if (runtime === undefined) {
    env["NODE_OPTIONS"] = `--import=${pathToFileURL(join(folder, "offline.mjs"))}`;
    await run(["runs", "--url", "http://192.0.2.1:5580"], { says: /^$/, errs: /offline, but asks 192/, code: 1 });
  }

  const covered = [...runs.map(([args]) => args.join(" ")), ...Object.keys(servers)];
  const without = commandsOfHelp().filter((name) => !covered.some((run) => `${run} `.startsWith(`${name} `)));
  if (without.length > 0) throw new Error(`commands without a run in scripts/check-package.ts: ${without.join(", ")}`);
  const failures: unknown[] = [];
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    try {
      await work();
      console.log(`ok     sacla ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures.push(error);
      console.log(`FAILED sacla ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const ending = async (): Promise<void> => {
    for (const [args, expected] of runs) {
      if (args[0] === "plan") givePlan();
      await step(args.join(" "), () => run(args, expected));
    }
    if (!hasZeromq) await step("over ZeroMQ is refused", checkRefusals);
  };
  const serving = async (): Promise<void> => {
    for (const [name, ask] of Object.entries(servers)) await step(name, ask);
    if (runtime === undefined) await checkJobs(step);
    await step("types of README", checkTypes);
  };
  await Promise.all([ending(), serving()]);
  if (failures.length > 0) throw new Error(`${failures.length} commands of the installed package failed`);
}

try {
  await check();
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
