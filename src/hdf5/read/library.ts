import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { SaclaError, show } from "../../core/errors.ts";
import { foundBeside } from "../direct/external.ts";

/** @internal */
export type H5 = Awaited<typeof import("h5wasm/node")["ready"]>;

// HDF5 is one library per process, and so is what it last complained about.
const complaint = { text: "" };
const MAX_COMPLAINT = 20_000;

let loading: Promise<H5> | undefined;
let current: H5 | undefined;
/** Instances that a damaged file has ended: they answer nothing any more. */
const ended = new WeakSet<H5>();
let restarts = 0;

/** Loaded at the first file: it takes 0.2 s, which a script on the simulated facility should not pay. */
export function loadH5(): Promise<H5> {
  loading ??= start();
  return loading;
}

/** The library that works now: the given one, or the one started in its place; undefined while that starts. */
export function workingH5(h5: H5): H5 | undefined {
  return ended.has(h5) ? current : h5;
}

/** Filters that need no plugin: deflate, shuffle, fletcher32, nbit, scale-offset; HDF5's numbers of them. */
const builtIn: ReadonlySet<number> = new Set([1, 2, 3, 5, 6]);
/** Those of the package h5wasm-plugins: bzip2, lzf, blosc, lz4, bitshuffle, zfp, zstd, blosc2. */
const ofPlugins: ReadonlySet<number> = new Set([307, 32000, 32001, 32004, 32008, 32013, 32015, 32026]);
const PLUGINS = "h5wasm-plugins";
/** What to do to have them. */
export const INSTALL_PLUGINS = `Install the filters beside sacla: npm install ${PLUGINS}@0.2.1`;

/** Where the plugins are, when they are installed beside sacla. HDF5 loads one when a file needs it. */
function pluginFolder(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(PLUGINS)), "plugins");
  } catch {
    return undefined;
  }
}

/** What to do about a filter that is not there; undefined when it is. */
export function filterMissing(id: number | undefined): string | undefined {
  if (id === undefined) return "";
  if (builtIn.has(id)) return undefined;
  if (!ofPlugins.has(id)) return "";
  return pluginFolder() === undefined ? ` ${INSTALL_PLUGINS}` : undefined;
}

/** Which filter is used and not there, in words; undefined when all are there. */
export function lackingFilter(
  filters: readonly { readonly name: string; readonly id: number }[],
  isUsed: (index: number) => boolean,
): string | undefined {
  const unknown = filters.find(({ id }, i) => filterMissing(id) !== undefined && isUsed(i));
  if (unknown === undefined) return undefined;
  const { name, id } = unknown;
  const what = `it is compressed with the HDF5 filter ${name} (id ${id}), which is not built in`;
  const install = filterMissing(id) ?? "";
  return install === "" ? what : `${what}.${install}`;
}

/** The error of a dataset that is compressed with a filter that is not there. */
export function filterError(
  file: string,
  path: string,
  { filter, id }: { readonly filter: string; readonly id: number | undefined },
  cause: unknown,
): SaclaError {
  const install = filterMissing(id) ?? "";
  return new SaclaError(
    "UNSUPPORTED",
    `${path} of ${show(file)} is compressed with the HDF5 ` +
      `filter ${filter}${id === undefined ? "" : ` (id ${id})`}, which is not built in.${install}` +
      `${install === "" ? " Rewrite" : ". Or rewrite"} ` +
      "the file with gzip on a machine that has the filter: h5repack -f GZIP=1 in.h5 out.h5",
    { details: { file, path, filter, id }, cause },
  );
}

async function start(): Promise<H5> {
  // The module starts its library once: under another address it is another module.
  const url = restarts === 0 ? "h5wasm/node" : `${import.meta.resolve("h5wasm/node")}?restart=${restarts}`;
  const { ready }: typeof import("h5wasm/node") = restarts === 0 ? await import("h5wasm/node") : await import(url);
  current = tellingChangedApart(openingFrom(collectComplaints(await ready)));
  const plugins = pluginFolder();
  if (plugins !== undefined) current.insert_plugin_search_path(plugins, 0);
  return current;
}

/** After an abort or a trap in WebAssembly, which no call survives, a new library is started. */
function restart(): void {
  if (current === undefined) return;
  ended.add(current);
  current = undefined;
  restarts++;
  loading = start();
  loading.catch(() => {
    loading = undefined;
  });
}

/**
 * Keeps what HDF5 prints on failure, instead of letting it reach the terminal. h5wasm's own way,
 * `activate_throwing_error_handler`, throws through the WebAssembly frames and never gives their stack back: after
 * about 2000 failures the library corrupts its memory. A call that fails by its return value unwinds cleanly.
 */
function collectComplaints(h5: H5): H5 {
  const streams: typeof h5.FS & Partial<{ getStream(fd: number): object }> = h5.FS;
  const write = (_stream: object, bytes: Uint8Array, offset: number, length: number): number => {
    if (complaint.text.length < MAX_COMPLAINT)
      complaint.text += Buffer.from(bytes.subarray(offset, offset + length)).toString();
    return length;
  };
  const characterDevice = { mode: 0o020000 };
  const stderr = streams.getStream?.(2);
  if (stderr === undefined)
    throw new SaclaError(
      "INTERNAL",
      "This version of h5wasm does not show what HDF5 prints; use the version sacla asks for.",
    );
  Object.assign(stderr, { node: characterDevice, stream_ops: { write } });
  return h5;
}

/** The file of which something is asked. */
const asked: { path: string | undefined } = { path: undefined };

/**
 * HDF5 opens what a link or a list of raw files names. Raw files it looks for from the working folder: that is the one
 * of the file here, and then as {@link foundBeside} says. Of a pipe it would wait for the writer for ever.
 */
function openingFrom(h5: H5): H5 {
  const streams: typeof h5.FS & { cwd?(): string } = h5.FS;
  const folder = (): string => (asked.path === undefined ? process.cwd() : dirname(resolve(asked.path)));
  streams.cwd = folder;
  const open = h5.FS.open.bind(h5.FS);
  h5.FS.open = (path, ...how) => {
    let found = statSync(path, { throwIfNoEntry: false });
    const other = found === undefined && asked.path !== undefined;
    const elsewhere = other ? foundBeside(asked.path ?? "", relative(folder(), path)) : undefined;
    // For what a link names HDF5 looks at these places by itself, and wants the file to be where it opened it.
    const beside = elsewhere !== undefined && isHdf5(elsewhere) ? undefined : elsewhere;
    if (beside !== undefined) found = statSync(beside, { throwIfNoEntry: false });
    const isPlain = found === undefined || found.isFile() || found.isDirectory();
    // Below what is no folder there is nothing.
    return open(isPlain ? (beside ?? path) : join(path, "none"), ...how);
  };
  return h5;
}

function isHdf5(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(4);
    readSync(file, head, 0, head.length, 0);
    return head.toString("latin1") === "\x89HDF";
  } finally {
    closeSync(file);
  }
}

/**
 * HDF5 keeps one state for all who have a file open, and knows a file by its inode: what was written anew since would
 * be read by what it remembers of the old one. So that a file has another inode after each change.
 */
function tellingChangedApart(h5: H5): H5 {
  const streams: Record<string, unknown> = { ...h5.FS };
  for (const name of ["fstat", "stat", "lstat"]) {
    const stat = streams[name];
    if (typeof stat !== "function") continue;
    const anew = (...of: readonly unknown[]): Stats => {
      const found: Stats = Reflect.apply(stat, h5.FS, of);
      const { dev, ino, size, mtimeMs, ctimeMs } = found;
      const state = createHash("sha1").update([dev, ino, size, mtimeMs, ctimeMs].join()).digest();
      return Object.assign(found, { ino: state.readUIntBE(0, 6) });
    };
    Object.assign(h5.FS, { [name]: anew });
  }
  return h5;
}

/** The innermost reason in an HDF5 error stack: one short line out of thirty. */
function reasonIn(text: string): string {
  const missingFilter = /required filter '(.*?)' is not registered/.exec(text);
  if (missingFilter !== null) return missingFilter[0];
  const reasons = [...text.matchAll(/#\d+: .*?\(\): (.*)$/gm)];
  return reasons.at(-1)?.[1] ?? (text === "" ? "HDF5 gives no reason" : text.slice(0, 200));
}

/**
 * Runs one call of h5wasm; whatever way it fails becomes the error made by `failed`.
 * @param path - the file of which something is asked
 */
export function attempt<T>(work: () => T, failed: (reason: string, cause: unknown) => SaclaError, path?: string): T {
  complaint.text = "";
  asked.path = path;
  let result: T;
  try {
    result = work();
  } catch (thrown) {
    // WebAssembly.RuntimeError, a name that TypeScript knows in browsers alone.
    if (thrown instanceof Error && thrown.name === "RuntimeError") restart();
    const text = complaint.text === "" && thrown instanceof Error ? thrown.message : complaint.text;
    // Not the thrown error itself: printed, it would show the 3.7 MB line of source it came from.
    throw failed(reasonIn(text), new Error(text));
  } finally {
    asked.path = undefined;
  }
  const negative = (typeof result === "number" || typeof result === "bigint") && result < 0;
  // Some calls ignore a failure inside and answer with the half they have: then the complaint is all there is.
  if (negative || complaint.text !== "") throw failed(reasonIn(complaint.text), new Error(complaint.text));
  return result;
}

/** Runs one call of h5wasm whose failure is of no account. */
export function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // As if it had answered that it failed.
  }
  complaint.text = "";
}
