import { constants, readFileSync } from "node:fs";
import { type FileHandle, open, rm, stat, writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { SaclaError, show } from "../../core/errors.ts";
import { processStart, renameWhole, writeFailed } from "../../files/index.ts";

/** A piece of a conversion that is safely on disk. */
export interface Batch {
  readonly name: string;
  /** Where it begins and ends in the data file. */
  readonly from: number;
  readonly to: number;
  readonly crc: number;
  /** What the writer of the batch wants to know again. */
  readonly info: unknown;
}

/** Files of a conversion on its way to its target. */
interface PartFiles {
  /** The output while it is assembled. */
  readonly part: string;
  /** Everything read so far, as it will be stored. */
  readonly data: string;
  /** One JSON object a line: what is to be made and by which process, then each batch that is whole. */
  readonly journal: string;
}

export function partFiles(target: string): PartFiles {
  return { part: `${target}.part`, data: `${target}.part.data`, journal: `${target}.part.journal` };
}

/** Removes what a conversion keeps beside its target. */
export async function removeParts({ part, data, journal }: PartFiles): Promise<void> {
  // The journal last: without it nothing says what the rest is.
  for (const file of [part, data, `${journal}.new`, journal]) await rm(file, { force: true });
}

const VERIFY_BYTES = 1 << 22;

/**
 * What has been read for a conversion, kept beside its target so that a killed one goes on. A batch is written to the
 * data file and flushed to the disk, and only then noted in the journal: what the journal names is whole, and what lies
 * behind it in the data file is cut off.
 */
export class Staging {
  readonly files: PartFiles;
  readonly batches: Batch[];
  /** How many batches were there when it was opened. */
  readonly found: number;
  readonly #data: FileHandle;
  readonly #journal: FileHandle;
  #from: number;
  #end: number;
  #crc = 0;

  private constructor(files: PartFiles, data: FileHandle, journal: FileHandle, batches: Batch[]) {
    this.files = files;
    this.#data = data;
    this.#journal = journal;
    this.batches = batches;
    this.found = batches.length;
    this.#from = this.#end = batches.at(-1)?.to ?? 0;
  }

  /**
   * Opens the staging of a target, or begins one. `plan` says what is to be made: only batches of the same plan count.
   * @throws FILE_EXISTS when the journal is of another plan, or its process is still at work
   * @throws WRITE_FAILED when the folder is not there or not writable
   */
  static async open(target: string, plan: string): Promise<Staging> {
    const files = partFiles(target);
    const known = readJournal(files.journal);
    if (known !== undefined) checkOwner(target, known, plan);
    let data: FileHandle | undefined;
    try {
      data = await open(files.data, constants.O_RDWR | constants.O_CREAT);
      const batches = await intactBatches(data, known?.batches ?? []);
      await data.truncate(batches.at(-1)?.to ?? 0);
      await startJournal(files.journal, plan, batches);
      return new Staging(files, data, await open(files.journal, "a"), batches);
    } catch (cause) {
      await data?.close();
      if (data !== undefined && known === undefined) await removeParts(files);
      throw writeFailed(target, cause);
    }
  }

  /** Puts bytes at the end; they count when {@link commit} has returned. @throws WRITE_FAILED */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#data.write(bytes, done, bytes.length - done, this.#end + done);
        done += bytesWritten;
      }
    } catch (cause) {
      throw writeFailed(this.files.data, cause);
    }
    this.#crc = crc32(bytes, this.#crc);
    this.#end += bytes.length;
  }

  /** Makes a batch of what was written since the last one. @throws WRITE_FAILED */
  async commit(name: string, info: unknown): Promise<void> {
    const batch = { name, from: this.#from, to: this.#end, crc: this.#crc, info };
    try {
      await this.#data.datasync();
    } catch (cause) {
      throw writeFailed(this.files.data, cause);
    }
    await this.#note(batch);
    this.batches.push(batch);
    this.#from = this.#end;
    this.#crc = 0;
  }

  /** Notes that the assembled output is whole, before it gets its name. @throws WRITE_FAILED */
  async markComplete(images: number): Promise<void> {
    const { part } = this.files;
    const { ino, size } = await stat(part).catch((cause: unknown) => {
      throw writeFailed(part, cause);
    });
    await this.#note({ complete: { ino, size, images } });
  }

  /** Fills `out` with bytes of the data file. @throws FILE_DAMAGED when they are not there */
  async read(at: number, out: Uint8Array): Promise<void> {
    for (let done = 0; done < out.length; ) {
      const { bytesRead } = await this.#data.read(out, done, out.length - done, at + done);
      if (bytesRead === 0) {
        throw new SaclaError(
          "FILE_DAMAGED",
          `${show(this.files.data)} became shorter while it was read; restart the conversion.`,
          {
            details: { path: this.files.data },
          },
        );
      }
      done += bytesRead;
    }
  }

  /** Leaves the files where they are, for the next time. */
  async close(): Promise<void> {
    await this.#data.close();
    await this.#journal.close();
  }

  async #note(line: object): Promise<void> {
    try {
      await this.#journal.appendFile(`${JSON.stringify(line)}\n`);
      await this.#journal.datasync();
    } catch (cause) {
      throw writeFailed(this.files.journal, cause);
    }
  }
}

interface Journal {
  readonly plan: string;
  readonly owner: Owner;
  readonly batches: readonly Batch[];
  /** Identity of an output that was whole, which it keeps when it gets its name, and how many images it has. */
  readonly complete: CompleteFile | undefined;
}

interface CompleteFile {
  readonly ino: number;
  readonly size: number;
  readonly images: number;
}

/** The journal of a target, as far as its lines are whole; undefined when there is none. */
export function readJournal(path: string): Journal | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const [first, ...rest] = text.split("\n").map(parseLine);
  const { plan, owner } = Object(first) as { plan?: unknown; owner?: unknown };
  if (typeof plan !== "string" || !isOwner(owner)) return undefined;
  const batches: Batch[] = [];
  for (const line of rest) {
    // A line cut by a kill ends what can be trusted.
    if (!isBatch(line) || line.from !== (batches.at(-1)?.to ?? 0)) break;
    batches.push(line);
  }
  return { plan, owner, batches, complete: rest.map(completeIn).findLast((complete) => complete !== undefined) };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function completeIn(line: unknown): CompleteFile | undefined {
  const { complete } = Object(line) as { complete?: unknown };
  const { ino, size, images } = Object(complete) as Partial<Record<keyof CompleteFile, unknown>>;
  return typeof ino === "number" && typeof size === "number" && typeof images === "number"
    ? { ino, size, images }
    : undefined;
}

function isBatch(line: unknown): line is Batch {
  const { name, from, to, crc } = Object(line) as Partial<Record<keyof Batch, unknown>>;
  return typeof name === "string" && typeof from === "number" && typeof to === "number" && typeof crc === "number";
}

/** Beside and renamed, so that a kill between two writes never loses a batch that was whole. */
async function startJournal(path: string, plan: string, batches: readonly Batch[]): Promise<void> {
  const lines = [{ plan, owner: thisProcess() }, ...batches];
  await writeFile(`${path}.new`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await renameWhole(`${path}.new`, path);
}

/** The leading batches whose bytes are all there and unchanged. */
async function intactBatches(data: FileHandle, batches: readonly Batch[]): Promise<Batch[]> {
  const { size } = await data.stat();
  const buffer = Buffer.alloc(VERIFY_BYTES);
  const intact: Batch[] = [];
  for (const batch of batches) {
    if (batch.to > size) break;
    let crc = 0;
    for (let at = batch.from; at < batch.to; at += VERIFY_BYTES) {
      const part = buffer.subarray(0, Math.min(VERIFY_BYTES, batch.to - at));
      await data.read(part, 0, part.length, at);
      crc = crc32(part, crc);
    }
    if (crc !== batch.crc) break;
    intact.push(batch);
  }
  return intact;
}

/** The process a conversion belongs to; its start tells it from a later one with the same number. */
interface Owner {
  readonly pid: number;
  readonly started: string;
}

function isOwner(value: unknown): value is Owner {
  const { pid, started } = Object(value) as Partial<Record<keyof Owner, unknown>>;
  return typeof pid === "number" && typeof started === "string";
}

function thisProcess(): Owner {
  return { pid: process.pid, started: processStart(process.pid) ?? "" };
}

function checkOwner(target: string, { plan, owner }: Journal, wanted: string): void {
  if (owner.pid !== process.pid && processStart(owner.pid) === owner.started) {
    throw new SaclaError(
      "FILE_EXISTS",
      `Process ${owner.pid} is writing ${show(target)} now; wait until it has ended.`,
      {
        details: { target, pid: owner.pid },
      },
    );
  }
  if (plan !== wanted) {
    const { journal } = partFiles(target);
    throw new SaclaError(
      "FILE_EXISTS",
      `An unfinished conversion of something else lies beside ${show(target)} (${journal}). ` +
        "Finish it with the command that began it, or throw it away: --restart, in a script { restart: true }.",
      { details: { target, journal } },
    );
  }
}
