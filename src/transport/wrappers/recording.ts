import { type FileHandle, open } from "node:fs/promises";
import { type CallOptions, throwIfAborted } from "../../core/async.ts";
import { fileError, SaclaError, show, showList } from "../../core/errors.ts";
import { fromWireError, type WireMessage } from "../codec.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { placeFrames } from "../frame-memory.ts";
import { inProcess } from "../in-process.ts";
import type { CallMethod, CallParams, CallResult, StreamItem, StreamMethod, StreamParams } from "../methods.ts";
import { questionKey, showParams } from "./question.ts";
import { type Asked, indexRecording, type Place, type RecordingIndex, readMessage } from "./recording-index.ts";

/** Questions named in a message at most. */
const SHOWN = 5;

/**
 * Answers from a file of {@link withRecording}, without the facility: the same question has the same answer, error or
 * items. A question that was asked several times is answered in the recorded order, then always with the last answer.
 * Only the places of answers are kept in memory.
 *
 * @throws FILE_NOT_FOUND
 * @throws BAD_MESSAGE when the file is no recording, or is damaged before its end
 * @throws UNSUPPORTED from a question that was not recorded; the message says what was for this method
 *
 * @example
 * await using facility = new Facility(await replayRecording("night-shift.recording"));
 */
export async function replayRecording(path: string): Promise<Endpoint> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw fileError("FILE_NOT_FOUND", "Cannot read the recording", path, cause);
  }
  try {
    return inProcess(new Replay(file, path, await indexRecording(file, path)));
  } catch (error) {
    await file.close();
    throw error;
  }
}

class Replay implements Endpoint {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #index: RecordingIndex;
  /** How often each question was asked of this replay. */
  readonly #turns = new Map<string, number>();

  constructor(file: FileHandle, path: string, index: RecordingIndex) {
    this.#file = file;
    this.#path = path;
    this.#index = index;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    throwIfAborted(options.signal);
    const { end } = await this.#find("call", method, params);
    const message = await this.#read(end, "result");
    return message.value as CallResult<M>;
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    const { items, end } = await this.#find("stream", method, params);
    for (let i = 0; i < items.length; i += 2) {
      throwIfAborted(options.signal);
      const message = await this.#read({ offset: items[i] ?? 0, length: items[i + 1] ?? 0 }, "item");
      yield placeFrames(message.value as StreamItem<M>, options.memory);
    }
    if (end === null) {
      throw new SaclaError(
        "UNSUPPORTED",
        `${show(this.#path)} holds only the first ${items.length / 2} items of this ${method}: ` +
          "no more were read when it was recorded.",
        {
          details: { path: this.#path, method, items: items.length / 2 },
        },
      );
    }
    await this.#read(end, "end");
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #find(kind: "call" | "stream", method: string, params: unknown): Promise<Asked> {
    const key = questionKey(kind, method, params);
    const answered = this.#index.asked.get(key) ?? [];
    const turn = this.#turns.get(key) ?? 0;
    this.#turns.set(key, turn + 1);
    const found = answered[Math.min(turn, answered.length - 1)];
    if (found !== undefined) return found;
    throw new SaclaError(
      "UNSUPPORTED",
      `${show(this.#path)} holds no answer to ${method} ${showParams(params)}; ${await this.#recordedFor(method)}.`,
      {
        details: { path: this.#path, method },
      },
    );
  }

  async #recordedFor(method: string): Promise<string> {
    const all = this.#index.byMethod.get(method) ?? [];
    if (all.length === 0) return `recorded are ${showList(this.#index.byMethod.keys(), 100)}`;
    const texts = new Set<string>();
    for (const { question } of all) {
      if (texts.size === SHOWN) break;
      const message = await readMessage(this.#file, question);
      if ("method" in message) texts.add(showParams(message.value));
    }
    return (
      `recorded for ${method}, asked ${all.length} times, ` +
      `are ${[...texts].join(", ")}${texts.size === SHOWN ? ", …" : ""}`
    );
  }

  /** @throws the error that was recorded in the place of what is wanted */
  async #read<K extends "result" | "item" | "end">(
    place: Place | null,
    wanted: K,
  ): Promise<Extract<WireMessage, { kind: K }>> {
    const message = place === null ? undefined : await readMessage(this.#file, place);
    if (message?.kind === "error") throw fromWireError(message.error);
    if (message?.kind === wanted) return message as Extract<WireMessage, { kind: K }>;
    throw new SaclaError(
      "BAD_MESSAGE",
      `${show(this.#path)} holds ${message?.kind ?? "nothing"} where ${wanted} was expected.`,
    );
  }
}
