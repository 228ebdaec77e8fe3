import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import type { Endpoint, StreamOptions } from "../../transport/endpoint.ts";
import type {
  CallMethod,
  CallParams,
  CallResult,
  StreamItem,
  StreamMethod,
  StreamParams,
} from "../../transport/methods.ts";
import { ENDINGS } from "../read/browse.ts";

/** How often the files are looked at, while anything is asked. */
const LOOK_MS = 1000;
/** Of a large folder less often: it takes at most this part of the time. */
const LOOK_PART = 0.05;

/**
 * An Endpoint over a file or a folder of files that is opened anew when they have changed, for servers: what is asked
 * is answered of the files as they are, at most a second late. A stream under way ends with FILE_CHANGED when it meets
 * what was changed; asked again, it begins with the new file. `facility.describe` says when that was last so; a file
 * that is new in the folder changes nothing of the others.
 *
 * @param path - of the file or folder
 * @param open - opens it, and whatever else is remembered of it; its errors are given to whoever asks, until it opens
 */
export async function renewed(path: string, open: () => Promise<Endpoint>): Promise<Endpoint> {
  const endpoint = new RenewedEndpoint(path, open);
  await endpoint.begin();
  return endpoint;
}

/** One opening of the files. */
interface Opened {
  readonly endpoint: Endpoint;
  /** By file, before they were opened. */
  readonly stamps: ReadonlyMap<string, string>;
  users: number;
  isOld: boolean;
}

class RenewedEndpoint implements Endpoint {
  readonly #path: string;
  readonly #open: () => Promise<Endpoint>;
  #now: Opened | undefined;
  /** Openings that somebody still uses. */
  readonly #old = new Set<Opened>();
  #looking: Promise<Opened> | undefined;
  #lookAt = 0;
  /** Files as they were when they last opened. */
  #stamps: ReadonlyMap<string, string> = new Map();
  /** When a file that had been there was found to be another: Unix seconds. */
  #renewed: number | undefined;
  #isClosed = false;

  constructor(path: string, open: () => Promise<Endpoint>) {
    this.#path = path;
    this.#open = open;
  }

  async begin(): Promise<void> {
    await this.#current();
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options?: Parameters<Endpoint["call"]>[2],
  ): Promise<CallResult<M>> {
    const ask = async (): Promise<CallResult<M>> =>
      await this.#using(async ({ endpoint }) => await endpoint.call(method, params, options));
    const answer = await ask().catch(async (error: unknown) => {
      if (!isSaclaError(error, "FILE_CHANGED")) throw error;
      return await ask();
    });
    if (method !== "facility.describe" || this.#renewed === undefined) return answer;
    return { ...(answer as object), renewed: this.#renewed } as CallResult<M>;
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>> {
    const opened = await this.#use();
    try {
      yield* opened.endpoint.stream(method, params, options);
    } catch (error) {
      this.#retireIfChanged(opened, error);
      throw error;
    } finally {
      await this.#release(opened);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking?.catch(() => {});
    const all = [...this.#old, ...(this.#now === undefined ? [] : [this.#now])];
    this.#now = undefined;
    this.#old.clear();
    for (const { endpoint } of all) await endpoint.close();
  }

  async #using<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    const opened = await this.#use();
    try {
      return await work(opened);
    } catch (error) {
      this.#retireIfChanged(opened, error);
      throw error;
    } finally {
      await this.#release(opened);
    }
  }

  async #use(): Promise<Opened> {
    for (;;) {
      const opened = await this.#current();
      // It may have been retired while this waited for its turn.
      if (opened.isOld) continue;
      opened.users++;
      return opened;
    }
  }

  async #release(opened: Opened): Promise<void> {
    opened.users--;
    if (opened.isOld && opened.users === 0 && this.#old.delete(opened)) await opened.endpoint.close();
  }

  #retireIfChanged(opened: Opened, error: unknown): void {
    if (isSaclaError(error, "FILE_CHANGED") && this.#now === opened) this.#retire(opened);
  }

  #retire(opened: Opened): void {
    opened.isOld = true;
    this.#now = undefined;
    if (opened.users > 0) this.#old.add(opened);
    else opened.endpoint.close().catch(() => {});
  }

  async #current(): Promise<Opened> {
    if (this.#now !== undefined && performance.now() < this.#lookAt) return this.#now;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return await this.#looking;
  }

  async #look(): Promise<Opened> {
    const began = performance.now();
    const stamps = await stampsOf(this.#path);
    const ended = performance.now();
    this.#lookAt = ended + Math.max(LOOK_MS, (ended - began) / LOOK_PART);
    if (this.#now !== undefined && isSame(this.#now.stamps, stamps)) return this.#now;
    if (this.#now !== undefined) this.#retire(this.#now);
    if (this.#isClosed) throw new SaclaError("CLOSED", `The server of ${this.#path} closes.`);
    const opened = { endpoint: await this.#open(), stamps, users: 0, isOld: false };
    if ([...this.#stamps].some(([name, stamp]) => stamps.get(name) !== stamp)) this.#renewed = Date.now() / 1000;
    this.#stamps = stamps;
    this.#now = opened;
    return opened;
  }
}

function isSame(some: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): boolean {
  return some.size === others.size && [...some].every(([name, stamp]) => others.get(name) === stamp);
}

/** Place, size and time of a file, or of each in a folder; none when it is not there. */
async function stampsOf(path: string): Promise<Map<string, string>> {
  const names = await readdir(path).catch(() => undefined);
  const paths = names?.filter((name) => ENDINGS.test(name)).map((name) => join(path, name)) ?? [path];
  const stamps = new Map<string, string>();
  for (const file of paths) {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    if (found !== undefined) stamps.set(file, `${found.ino} ${found.size} ${found.mtimeNs}`);
  }
  return stamps;
}
