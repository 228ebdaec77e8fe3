import { existsSync } from "node:fs";
import { join } from "node:path";
import { SaclaError, show } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import { type TagRange, tagsOfRanges } from "../core/tag-ranges.ts";
import { AppendLog, createFile, readLog, readTextFile } from "../files/index.ts";
import type { CheckedRequest } from "./request.ts";
import type { RequestFiles } from "./request-files.ts";

/** What a reduction is, and how it is cut into shards: written once, before the first shard begins. */
export interface Manifest {
  readonly kind: "sacla reduction";
  readonly version: 1;
  readonly software: string;
  /** What the facility is opened with. */
  readonly url: string;
  readonly bl: number;
  readonly run: number;
  readonly hightag: number;
  /** Unix seconds. */
  readonly startTime: number;
  /** Where the result goes. */
  readonly out: string;
  readonly request: CheckedRequest;
  readonly requestDigest: string;
  /** The files that the request names: where they are, and the digest of what they held. */
  readonly files: RequestFiles;
  readonly sensors: readonly string[];
  readonly checkpointSeconds: number;
  /** Digest of the dark means in the folder; null without a dark. */
  readonly dark: string | null;
  /** Shots that were left out before any image is read. */
  readonly leftOut: readonly { readonly reason: string; readonly tags: readonly TagRange[] }[];
  readonly shards: readonly (readonly TagRange[])[];
}

/** A line of the log of a shard, or of the whole reduction. */
export interface LogEntry {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly event: string;
  readonly [key: string]: unknown;
}

/**
 * The folder of a reduction on a file system that all jobs share. Each file has one writer at a time: the manifest is
 * never changed, each shard has a checkpoint, a log and a claim of its own.
 */
export class BatchFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The folder beside a result file. */
  static of(out: string): BatchFolder {
    return new BatchFolder(`${out}.parts`);
  }

  get manifestPath(): string {
    return join(this.path, "manifest.json");
  }

  get darkPath(): string {
    return join(this.path, "dark.sacla");
  }

  get logPath(): string {
    return join(this.path, "reduction.log");
  }

  /** Claims of what coordinates the shards. */
  get ownerPath(): string {
    return join(this.path, "reduction.claims");
  }

  shard(index: number): { readonly checkpoint: string; readonly log: string; readonly claims: string } {
    const name = join(this.path, `shard-${String(index).padStart(4, "0")}`);
    return { checkpoint: `${name}.sacla`, log: `${name}.log`, claims: `${name}.claims` };
  }

  /** @throws FILE_EXISTS @throws WRITE_FAILED */
  writeManifest(manifest: Manifest): void {
    createFile(this.manifestPath, `${JSON.stringify(manifest, null, 1)}\n`);
  }

  get hasManifest(): boolean {
    return existsSync(this.manifestPath);
  }

  /** @throws FILE_NOT_FOUND @throws FILE_DAMAGED when it is none */
  manifest(): Manifest {
    const text = readTextFile("The manifest of a reduction", this.manifestPath);
    try {
      const found: unknown = JSON.parse(text);
      if (isRecord(found) && found["kind"] === "sacla reduction" && found["version"] === 1)
        return found as unknown as Manifest;
    } catch {
      // Said below.
    }
    throw new SaclaError("FILE_DAMAGED", `${show(this.manifestPath)} is no manifest of a reduction.`);
  }

  /** Adds a line to a log, which others may do at the same time. */
  log(path: string, event: string, details: Readonly<Record<string, unknown>> = {}): void {
    const log = AppendLog.join(path);
    try {
      log.append({ time: new Date().toISOString(), event, ...details });
    } finally {
      log.close();
    }
  }

  entries(path: string): readonly LogEntry[] {
    return readLog("The log of a reduction", path).flatMap(({ value }) =>
      isRecord(value) && typeof value["event"] === "string" ? [value as unknown as LogEntry] : [],
    );
  }
}

/** Tags of a shard. */
export function shardTags(manifest: Manifest, index: number): Uint32Array {
  const ranges = manifest.shards[index];
  if (ranges !== undefined) return tagsOfRanges(ranges);
  throw new SaclaError("BAD_ARGUMENT", `There is no shard ${index}: there are ${manifest.shards.length}, from 0.`);
}
