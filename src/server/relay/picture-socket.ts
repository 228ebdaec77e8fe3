import { connect, createServer, type Socket } from "node:net";
import { toSaclaError } from "../../core/errors.ts";
import { decodeMessage, encodeMessage, fromWireError, toWireError } from "../../transport/codec.ts";
import type { CallParams, CallResult } from "../../transport/methods.ts";
import { PackedReader, packedChunks, packedExtent, packParts, unpackParts } from "../../transport/packed.ts";
import { readingIsAway } from "../limits.ts";
import { PackedAnswer } from "../packed-answer.ts";
import { loopbackClient, type Service } from "../service.ts";

type Params = CallParams<"page.live">;
type Result = CallResult<"page.live">;

/** Longer than anybody waits for a picture. */
const ANSWER_MS = 30_000;
const READ_BYTES = 2 ** 18;
/** Memory that no connection reads into now: each piece of its own would be work for the collector. */
const spare: Uint8Array[] = [];

/**
 * Answers `page.live` at a local socket for {@link askPicture}: one packed message each way and one question in each
 * connection, without what HTTP adds, which takes more time than the picture itself. It lets everybody in.
 */
export async function servePictures(service: Service, socketPath: string): Promise<{ close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    // Who has asked has gone.
    answer(service, socket).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => resolve());
  });
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function answer(service: Service, socket: Socket): Promise<void> {
  const gone = new AbortController();
  socket.on("error", () => {});
  socket.once("close", () => gone.abort());
  const parts = await new PackedReader(socket.iterator({ destroyOnReturn: false })).next();
  if (parts === undefined) return;
  const question = decodeMessage(parts, { copy: true });
  const value = "value" in question ? question.value : null;
  const request = { method: "page.live", value };
  const message = await service.call(loopbackClient, request, { signal: gone.signal }).then(
    (result) => encodeMessage({ kind: "result", id: 0, value: result }),
    (error: unknown) => encodeMessage({ kind: "error", id: 0, error: toWireError(error) }),
  );
  socket.cork();
  for (const chunk of packedChunks(message)) socket.write(chunk);
  socket.end();
}

/** Asks where {@link servePictures} answers. @throws UNREACHABLE; and what is answered */
export async function askPicture(socketPath: string, params: Params): Promise<PackedAnswer<Result>> {
  const bytes = await ask(
    socketPath,
    packParts(encodeMessage({ kind: "call", id: 0, method: "page.live", value: params })),
  );
  const message = decodeMessage(unpackParts(bytes), { copy: false });
  if (message.kind === "result") return new PackedAnswer(bytes, message.value as Result);
  throw message.kind === "error" ? fromWireError(message.error) : toSaclaError(new Error(message.kind), "BAD_MESSAGE");
}

async function ask(socketPath: string, question: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
  const message = new OneMessage();
  let socket: Socket | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const callback = (count: number): boolean => {
        try {
          message.add(buffer.subarray(0, count));
        } catch (error) {
          reject(error);
        }
        return true;
      };
      socket = connect({ path: socketPath, onread: { buffer, callback } });
      socket.setTimeout(ANSWER_MS, () => reject(new Error("no answer")));
      socket.once("error", reject);
      // With `onread` the end of what is sent closes the connection.
      socket.once("close", () => resolve());
      socket.write(question);
    });
    return message.bytes;
  } catch (cause) {
    throw readingIsAway(cause);
  } finally {
    socket?.destroy();
    spare.push(buffer);
  }
}

/** One packed message as it comes, in memory of its own, where arrays are aligned. */
class OneMessage {
  #memory: Uint8Array<ArrayBuffer> | undefined;
  /** What has come before the length was known. */
  #head: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** @throws BAD_MESSAGE for what is no packed message */
  add(chunk: Uint8Array): void {
    const isBegun = this.#memory !== undefined;
    const start = isBegun || this.#head.byteLength === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    if (!isBegun) {
      const extent = packedExtent(start);
      // The chunk's memory is read into again.
      if (extent === null) this.#head = Uint8Array.from(start);
      else this.#memory = new Uint8Array(Buffer.allocUnsafeSlow(extent.length).buffer);
    }
    if (this.#memory === undefined) return;
    this.#memory.set(start, this.#length);
    this.#length += start.byteLength;
  }

  /** @throws RangeError when it has not come to its end */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#memory !== undefined && this.#length === this.#memory.byteLength) return this.#memory;
    throw new RangeError("The connection ended within an answer.");
  }
}
