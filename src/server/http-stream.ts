import { setImmediate as nextTurn } from "node:timers/promises";
import { type AnswerMessage, encodeMessage, type WireError } from "../transport/codec.ts";
import { jsonPieces } from "../transport/http/json-form.ts";
import { PACKED_TYPE, packedPieces } from "../transport/packed.ts";

/** A form in which the items of a stream are written. */
interface StreamForm {
  readonly contentType: string;
  /** In pieces; the next one is made when the one before has been taken. */
  write(message: AnswerMessage): Iterable<Uint8Array>;
}

export const packedForm: StreamForm = {
  contentType: PACKED_TYPE,
  write: (message) => packedPieces(encodeMessage(message)),
};

const encoder = new TextEncoder();

/** Server-Sent Events (HTML standard, section 9.2). */
export const eventForm: StreamForm = {
  contentType: "text/event-stream",
  write: (message) => {
    // A line that begins with a colon is for nobody.
    if (message.kind === "pong") return [encoder.encode(": no item yet\n\n")];
    const value = message.kind === "error" ? message.error : "value" in message ? message.value : null;
    const id = message.kind === "item" ? `id: ${message.seq}\n` : "";
    return textBytes(jsonPieces(value, `event: ${message.kind}\n${id}data: `, "\n\n"));
  },
};

/** An answer to a call in pieces: packed or as JSON. */
export function callPieces(value: unknown, isPacked: boolean): Iterator<Uint8Array<ArrayBuffer>> {
  return isPacked ? packedPieces(encodeMessage({ kind: "result", id: 0, value })) : textBytes(jsonPieces(value));
}

/** A body of pieces: as it is when there is only one, else each made when the one before has been taken. */
export function piecesBody(
  pieces: Iterator<Uint8Array<ArrayBuffer>>,
  onSent: (bytes: number) => void,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  const take = (): Uint8Array<ArrayBuffer> | undefined => {
    const { done, value } = pieces.next();
    if (done === true) return undefined;
    onSent(value.byteLength);
    return value;
  };
  const first = take() ?? new Uint8Array(0);
  let second = take();
  if (second === undefined) return first;
  let next: Uint8Array | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A reader as fast as this would else hold up everybody until the last piece.
        await nextTurn();
        if (next !== undefined) controller.enqueue(next);
        next = second;
        second = take();
        if (next === undefined) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

function* textBytes(texts: Iterable<string>): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  for (const text of texts) yield encoder.encode(text);
}

/** What a {@link streamBody} does besides. */
interface StreamBodyOptions {
  /** How long there may be nothing to send before a `pong` is sent. */
  readonly pongMs: number;
  /** How a failure of the source is told. */
  wireError(error: unknown): WireError;
  onSent(bytes: number): void;
  /** The reader has gone. */
  onGone(): void;
  /** The last message has been made. */
  onEnd(): void;
}

/**
 * The body of an answer with many items: one is made only when the one before has been taken, so that a slow reader
 * holds one item and no more. It never fails: what fails in the source is written as the last message.
 *
 * @param first - the first item when it has been asked for already
 */
export function streamBody(
  items: AsyncIterator<unknown>,
  first: Promise<IteratorResult<unknown>>,
  form: StreamForm,
  options: StreamBodyOptions,
): ReadableStream<Uint8Array> {
  let pending: Promise<IteratorResult<unknown>> | undefined = first;
  let seq = 0;
  /** What is left of the message that is being sent. */
  let pieces: Iterator<Uint8Array> | undefined;
  const sendPiece = (controller: ReadableStreamDefaultController<Uint8Array>): boolean => {
    const piece = pieces?.next();
    if (piece === undefined || piece.done === true) {
      pieces = undefined;
      return false;
    }
    options.onSent(piece.value.byteLength);
    controller.enqueue(piece.value);
    return true;
  };
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, message: AnswerMessage): void => {
    pieces = form.write(message)[Symbol.iterator]();
    sendPiece(controller);
  };
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, message: AnswerMessage): void => {
    options.onEnd();
    send(controller, message);
    while (sendPiece(controller));
    controller.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (pieces !== undefined) {
            // A reader as fast as this would else hold up everybody until the last piece.
            await nextTurn();
            if (sendPiece(controller)) return;
          }
          pending ??= items.next();
          const next = await within(pending, options.pongMs);
          if (next === undefined) return send(controller, { kind: "pong", id: 0 });
          pending = undefined;
          if (next.done === true) return end(controller, { kind: "end", id: 0 });
          send(controller, { kind: "item", id: 0, seq: seq++, value: next.value });
        } catch (error) {
          return end(controller, { kind: "error", id: 0, error: options.wireError(error) });
        }
      },
      cancel() {
        options.onGone();
      },
    },
    { highWaterMark: 0 },
  );
}

/** What `work` gives, or undefined when it takes longer than `ms`. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
