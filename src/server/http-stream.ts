import { type AnswerMessage, encodeMessage, type WireError } from "../transport/codec.ts";
import { toJsonForm } from "../transport/http/json-form.ts";
import { PACKED_TYPE, packParts } from "../transport/packed.ts";

/** A form in which the items of a stream are written. */
interface StreamForm {
  readonly contentType: string;
  write(message: AnswerMessage): Uint8Array;
}

export const packedForm: StreamForm = {
  contentType: PACKED_TYPE,
  write: (message) => packParts(encodeMessage(message)),
};

const encoder = new TextEncoder();

/** Server-Sent Events (HTML standard, section 9.2). */
export const eventForm: StreamForm = {
  contentType: "text/event-stream",
  write: (message) => {
    // A line that begins with a colon is for nobody.
    if (message.kind === "pong") return encoder.encode(": no item yet\n\n");
    const value = message.kind === "error" ? message.error : "value" in message ? message.value : null;
    const id = message.kind === "item" ? `id: ${message.seq}\n` : "";
    return encoder.encode(`event: ${message.kind}\n${id}data: ${JSON.stringify(toJsonForm(value))}\n\n`);
  },
};

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
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, message: AnswerMessage): void => {
    const bytes = form.write(message);
    options.onSent(bytes.byteLength);
    controller.enqueue(bytes);
  };
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, message: AnswerMessage): void => {
    options.onEnd();
    send(controller, message);
    controller.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
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
