import { SaclaError, show } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { DEFLATE, FLETCHER32 } from "../direct/dataset.ts";
import { filterMissing, INSTALL_PLUGINS } from "../read/library.ts";
import type { ResolvedRequest } from "../request.ts";
import type { H5Filter } from "./writer.ts";

/** Numbers of filters: portal.hdfgroup.org, "Registered Filter Plugins"; parameters: the documentation of each. */
const [LZ4, BITSHUFFLE, ZSTD, BLOSC2] = [32004, 32008, 32015, 32026];

/**
 * Filters of the package h5wasm-plugins, by their name in a request.
 *
 * bitshuffle: size of a block (0: its choice), 2 for LZ4 or 3 for Zstandard with its level. lz4: bytes of a block (0:
 * its choice). blosc2: four that it fills in, level 5, 2 for a shuffle of bits, 1 for LZ4 or 5 for Zstandard.
 */
const plugins: Readonly<Record<string, H5Filter>> = {
  "bitshuffle-lz4": { id: BITSHUFFLE, values: [0, 2] },
  "bitshuffle-zstd": { id: BITSHUFFLE, values: [0, 3, 3] },
  "blosc2-lz4": { id: BLOSC2, values: [0, 0, 0, 0, 5, 2, 1] },
  "blosc2-zstd": { id: BLOSC2, values: [0, 0, 0, 0, 5, 2, 5] },
  lz4: { id: LZ4, values: [0] },
  zstd: { id: ZSTD, values: [3] },
};

const GZIP_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
/** What `compression` of a request may be; those after gzip-9 where the package h5wasm-plugins is installed. */
export const compressions: readonly string[] = [
  "none",
  ...GZIP_LEVELS.map((level) => `gzip-${level}`),
  ...Object.keys(plugins),
];

/** @param level - 1 to 9 */
export function gzip(level: number): H5Filter {
  return { id: DEFLATE, values: [level] };
}

/**
 * @throws BAD_ARGUMENT when there is no such compression
 * @throws UNSUPPORTED when its filter is not installed
 */
export function asCompression(name: string, value: unknown): string {
  const kind = compressions.find((known) => known === value);
  if (kind === undefined) throw badArgument(name, value, `one of ${compressions.join(", ")}`);
  const filter = plugins[kind];
  if (filter === undefined || filterMissing(filter.id) === undefined) return kind;
  throw new SaclaError(
    "UNSUPPORTED",
    `${name} ${show(value)} needs a filter that is not installed. ${INSTALL_PLUGINS}, or take gzip-1.`,
    { details: { name, value, filter: filter.id } },
  );
}

/** How chunks are filtered; undefined when they are not. */
export function chunkFilter({ compression, fletcher32 }: ResolvedRequest): H5Filter | undefined {
  if (compression !== "none") return plugins[compression] ?? gzip(Number(compression.slice("gzip-".length)));
  return fletcher32 ? { id: FLETCHER32, values: [] } : undefined;
}
