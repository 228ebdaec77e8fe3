import { mkdtemp, open, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { resolveOptions } from "../../core/options.ts";
import { writeFailed } from "../../files/index.ts";
import { validateFile } from "../layouts/validate.ts";
import { pathsBelow } from "../read/below.ts";
import { H5File } from "../read/h5file.ts";
import { type Provenance, provenanceOf } from "../read/provenance.ts";
import type { ConvertSource } from "../write/plan.ts";
import { ADDED_BY } from "./add-signals.ts";
import { convert } from "./convert.ts";
import { type ReadOptions, readChecks } from "./read.ts";
import { asRequest } from "./resolve.ts";

/** Whether a file could be made again. */
export interface Replayed {
  readonly isSame: boolean;
  /** Paths of signals that `addSignals` has put in since; with them values are compared, not bytes. Absent without. */
  readonly added?: readonly string[];
  /** First place where the new file differs, in words; null when it is the same to the last byte. */
  readonly difference: string | null;
}

/**
 * Makes a file again from what it says of its making, beside it and thrown away afterwards, and compares byte by byte.
 * @param source - what `provenance.source.url` names
 * @throws UNSUPPORTED when the file does not say how it was made
 * @example
 * const { source } = await provenanceOf("206178.h5");
 * await using facility = await connect(source.url);
 * const { isSame, difference } = await replay(facility, "206178.h5");
 */
export async function replay(source: ConvertSource, path: string, options: ReadOptions = {}): Promise<Replayed> {
  resolveOptions("replay", options, readChecks);
  const original = resolve(path);
  const { request, source: recorded, versions } = await provenanceOf(original);
  const beside = dirname(original);
  const folder = await mkdtemp(join(beside, ".sacla-replay-")).catch((cause: unknown) => {
    throw writeFailed(beside, cause);
  });
  try {
    const again = join(folder, basename(original));
    await convert(source, asRequest(request), again, { ...options, url: recorded.url ?? undefined });
    if (await sameBytes(original, again)) return { isSame: true, difference: null };
    const { versions: now } = await provenanceOf(again);
    const added: string[] = [];
    const first = await firstDifference(original, again, added);
    if (first === null && added.length > 0) return { isSame: true, difference: null, added };
    const what = first ?? "the bytes differ, though every object is the same";
    const difference = [await damagedImages(original, options), what].join("");
    if (now.sacla === versions.sacla && now.h5wasm === versions.h5wasm) return { isSame: false, difference };
    // A file names the versions it was made by, so that another version never gives the same bytes.
    return {
      isSame: false,
      difference: `it was made by ${inWords(versions)}, and again by ${inWords(now)}; ${difference}`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The images that are not those that were converted, whatever the source says today; empty when all are. */
async function damagedImages(path: string, { signal }: ReadOptions): Promise<string> {
  const { findings, counts } = await validateFile(path, { signal });
  const damaged = findings.filter(({ rule }) => rule === "image-digest");
  if (damaged.length === 0) return "";
  const more = (counts["image-digest"] ?? 0) - damaged.length;
  const named = damaged.map(({ path: place, message }) => `${place} ${message}`);
  return `${named.join("; ")}${more > 0 ? `, and ${more} more` : ""}; `;
}

function inWords({ sacla, h5wasm }: Provenance["versions"]): string {
  return `sacla ${sacla} with h5wasm ${h5wasm}`;
}

const COMPARED_BYTES = 1 << 20;

/** Whether two files have the same bytes. */
async function sameBytes(a: string, b: string): Promise<boolean> {
  await using first = await open(a);
  await using second = await open(b);
  const [{ size }, other] = await Promise.all([first.stat(), second.stat()]);
  if (size !== other.size) return false;
  const [left, right] = [Buffer.alloc(COMPARED_BYTES), Buffer.alloc(COMPARED_BYTES)];
  for (let at = 0; at < size; at += COMPARED_BYTES) {
    const length = Math.min(COMPARED_BYTES, size - at);
    await Promise.all([first.read(left, 0, length, at), second.read(right, 0, length, at)]);
    if (!left.subarray(0, length).equals(right.subarray(0, length))) return false;
  }
  return true;
}

/** @param added - takes the paths of signals that were added to `a` */
async function firstDifference(a: string, b: string, added: string[]): Promise<string | null> {
  const first = await H5File.open(a);
  try {
    const second = await H5File.open(b);
    try {
      return differenceBelow(first, second, "", added);
    } finally {
      second.close();
    }
  } finally {
    first.close();
  }
}

/** Whether a dataset, or all that is in a group, was added by `addSignals`. */
function isAdded(file: H5File, path: string): boolean {
  if (file.kind(path) !== "group") return file.attribute(path, ADDED_BY) !== undefined;
  const below = file.keys(path);
  return below.length > 0 && below.every((name) => isAdded(file, `${path}/${name}`));
}

function differenceBelow(a: H5File, b: H5File, path: string, added: string[]): string | null {
  const right = b.keys(path === "" ? "/" : path);
  const isOnlyHere = (name: string): boolean => !right.includes(name) && isAdded(a, `${path}/${name}`);
  const all = a.keys(path === "" ? "/" : path);
  for (const name of all.filter(isOnlyHere)) {
    const below = `${path}/${name}`;
    added.push(...(a.kind(below) === "group" ? pathsBelow(a, below) : [below]));
  }
  const left = all.filter((name) => !isOnlyHere(name));
  const lost = left.find((name) => !right.includes(name));
  if (lost !== undefined) return `${path}/${lost} is not there when it is made again`;
  const more = right.find((name) => !left.includes(name));
  if (more !== undefined) return `${path}/${more} is there only when it is made again`;
  for (const name of left) {
    const below = `${path}/${name}`;
    const found = a.kind(below) === "group" ? differenceBelow(a, b, below, added) : differenceOf(a, b, below);
    if (found !== null) return found;
  }
  return null;
}

function differenceOf(a: H5File, b: H5File, path: string): string | null {
  const [left, right] = [a.bytes(path), b.bytes(path)];
  if (left.description !== right.description)
    return `${path} is ${left.description}, and ${right.description} when it is made again`;
  const at = left.bytes.findIndex((byte, i) => byte !== right.bytes[i]);
  return at < 0 && left.bytes.length === right.bytes.length
    ? null
    : `${path} has other content from byte ${Math.max(0, at)} on`;
}
