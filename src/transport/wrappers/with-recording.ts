import { type FileHandle, open } from "node:fs/promises";
import type { CallOptions } from "../../core/async.ts";
import { fileError, isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { isRecord } from "../../core/guards.ts";
import { syncFolder } from "../../files/index.ts";
import { checkCall, checkStream } from "../check.ts";
import { encodeMessage, toWireError, type WireMessage } from "../codec.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import type { CallMethod, CallParams, CallResult, StreamItem, StreamMethod, StreamParams } from "../methods.ts";
import { packParts } from "../packed.ts";

/**
 * An Endpoint that answers as `inner` does and writes every question and answer to a new file, for
 * {@link replayRecording}. What the caller ends itself (ABORTED, TIMEOUT, CLOSED) is no answer and is not recorded.
 * An answer is given when it is written, so nothing is kept in memory.
 *
 * The file holds messages of docs/protocol.md in the packed form, one after another, and is only ever appended to: when
 * the program is killed, all whole messages in it can be read. The secrets of leases are not written: "lease 1" stands
 * for the first one, and so on, also as the answer to whoever takes a lease of the replay.
 *
 * @throws FILE_EXISTS when the file is there already
 * @throws WRITE_FAILED when it cannot be written, at once or later; from then on every question fails
 *
 * @example
 * await using facility = new Facility(await withRecording(endpoint, "night-shift.recording"));
 */
export async function withRecording(inner: Endpoint, path: string): Promise<Endpoint> {
  let file: FileHandle;
  try {
    file = await open(path, "wx");
    syncFolder(path);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") {
      throw new SaclaError(
        "FILE_EXISTS",
        `${show(path)} is there already. A recording is never written over: choose another name.`,
        {
          details: { path },
          cause,
        },
      );
    }
    throw fileError("WRITE_FAILED", "Cannot record to", path, cause);
  }
  return new Recording(inner, file, path);
}

class Recording implements Endpoint {
  readonly #inner: Endpoint;
  readonly #file: FileHandle;
  readonly #path: string;
  #lastId = 0;
  /** What is written for the secret of a lease. */
  readonly #leases = new Map<string, string>();
  /** Settles when everything handed over is written; rejected for good by the first write that fails. */
  #written: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(inner: Endpoint, file: FileHandle, path: string) {
    this.#inner = inner;
    this.#file = file;
    this.#path = path;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.#checkOpen(method);
    const value = checkCall(method, params);
    const id = ++this.#lastId;
    await this.#write({ kind: "call", id, method, value });
    const result = await this.#answered(id, async () => await this.#inner.call(method, value, options));
    await this.#write({ kind: "result", id, value: result });
    return result;
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    this.#checkOpen(method);
    const value = checkStream(method, params);
    const id = ++this.#lastId;
    await this.#write({ kind: "stream", id, method, value, credit: 1 });
    const items = this.#inner.stream(method, value, options)[Symbol.asyncIterator]();
    try {
      for (let seq = 0; ; seq++) {
        const next = await this.#answered(id, () => items.next());
        if (next.done === true) break;
        await this.#write({ kind: "item", id, seq, value: next.value });
        yield next.value;
      }
      await this.#write({ kind: "end", id });
    } finally {
      await items.return?.();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#inner.close();
    } finally {
      await this.#written.catch(() => {});
      await this.#file.datasync().catch(() => {});
      await this.#file.close();
    }
  }

  #checkOpen(method: string): void {
    if (this.#closing !== undefined) throw new SaclaError("CLOSED", `${method} was called after close().`);
  }

  async #answered<T>(id: number, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!isSaclaError(error, "ABORTED", "TIMEOUT", "CLOSED"))
        await this.#write({ kind: "error", id, error: toWireError(error) });
      throw error;
    }
  }

  /** Writes after everything before it, so that messages never mix. */
  async #write(message: WireMessage): Promise<void> {
    if (this.#closing !== undefined) return;
    const bytes = packParts(encodeMessage(this.#withoutSecrets(message)));
    this.#written = this.#written.then(() => this.#append(bytes));
    await this.#written;
  }

  #withoutSecrets(message: WireMessage): WireMessage {
    if (message.kind === "error") {
      const { error } = message;
      let text = error.message;
      for (const [secret, name] of this.#leases) text = text.replaceAll(secret, name);
      return { ...message, error: { ...error, message: text } };
    }
    if (!("value" in message) || !isRecord(message.value)) return message;
    const { lease } = message.value;
    if (typeof lease !== "string") return message;
    const name = this.#leases.get(lease) ?? `lease ${this.#leases.size + 1}`;
    this.#leases.set(lease, name);
    return { ...message, value: { ...message.value, lease: name } };
  }

  async #append(bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.appendFile(bytes);
    } catch (cause) {
      throw fileError("WRITE_FAILED", "Cannot go on recording to", this.#path, cause);
    }
  }
}
