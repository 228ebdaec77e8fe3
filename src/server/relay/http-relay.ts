import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { type SaclaError, toSaclaError } from "../../core/errors.ts";
import { toWireError } from "../../transport/codec.ts";
import { httpStatus } from "../http-status.ts";
import { readingIsAway, serverBusy, tooLarge } from "../limits.ts";
import type { Service } from "../service.ts";

/** A server on this computer that answers what a server does not answer itself. */
export interface HttpRelayTarget {
  /** Its `socketPath` now. */
  readonly socketPath: string;
  /** Whether a path is answered here. */
  owns(path: string): boolean;
  /** Answers some of the other paths, for all who ask the same at once. */
  readonly shared?: Service | undefined;
}

/** Headers of one connection, which the other connection has of its own (RFC 9110, section 7.6.1). */
const ofOneConnection = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]);
/** The same, and those about how the body comes: it is passed on whole. */
const ofOneRequest = new Set([...ofOneConnection, "content-length", "expect", "transfer-encoding"]);
/** The longest body that is passed on, and the most that all clients together have here. */
const MOST_BODY = 16 * 2 ** 20;
const MOST_OF_ALL = 256 * 2 ** 20;
/** How long the rest of a body that is refused is read, so that its client comes to read the answer. */
const REFUSED_MS = 2000;

/** Passes requests on to the HTTP server that listens at a local socket, and its answers back as they come. */
export class HttpRelay {
  readonly #target: HttpRelayTarget;
  #bytes = 0;

  constructor(target: HttpRelayTarget) {
    this.#target = target;
  }

  owns(path: string): boolean {
    return this.#target.owns(path);
  }

  /**
   * The whole body is read before anything is passed on. Else an answer that comes while the body is still being sent,
   * such as a refusal, would close the connection, and the client would lose the answer.
   */
  async pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const held: Buffer[] = [];
    try {
      await this.#read(asked, held);
      if (!answer.destroyed) this.#send(asked, Buffer.concat(held), answer);
    } catch (error) {
      // Its client has gone, or is told.
      if (answer.destroyed) return;
      asked.resume();
      answer.once("finish", () => {
        setTimeout(() => !asked.complete && asked.socket.destroySoon(), REFUSED_MS).unref();
      });
      refuse(answer, toSaclaError(error, "BAD_MESSAGE"));
    } finally {
      this.#bytes -= lengthOf(held);
    }
  }

  /** @throws TOO_LARGE, TOO_MANY_REQUESTS */
  async #read(asked: IncomingMessage, held: Buffer[]): Promise<void> {
    const { "content-length": claimed, "transfer-encoding": pieces } = asked.headers;
    if (claimed === undefined && pieces === undefined) return;
    if (Number(claimed) > MOST_BODY) throw tooLarge(Number(claimed), MOST_BODY);
    let length = 0;
    // The connection is needed for the answer.
    for await (const chunk of asked.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      held.push(chunk);
      length += chunk.byteLength;
      this.#bytes += chunk.byteLength;
      if (length > MOST_BODY) throw tooLarge(length, MOST_BODY);
      if (this.#bytes > MOST_OF_ALL) throw serverBusy();
    }
  }

  #send(asked: IncomingMessage, body: Buffer, answer: ServerResponse): void {
    const hasBody = asked.method !== "GET" && asked.method !== "HEAD";
    // A connection for each request: one that is kept could be closed in the moment it is used again. This side ends
    // it, after the answer.
    const passed = request({
      socketPath: this.#target.socketPath,
      agent: false,
      method: asked.method,
      path: asked.url,
      headers: {
        ...headersOf(asked, ofOneRequest),
        Connection: "keep-alive",
        ...(hasBody ? { "Content-Length": body.byteLength } : {}),
      },
    });
    answer.on("close", () => passed.destroy());
    passed.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 500, response.statusMessage, headersOf(response, ofOneConnection));
      pipeline(response, answer, () => {});
    });
    passed.on("error", (cause) => {
      if (answer.writableEnded) return;
      if (answer.headersSent || answer.destroyed) answer.destroy();
      else refuse(answer, readingIsAway(cause));
    });
    passed.end(hasBody ? body : undefined);
  }
}

function refuse(answer: ServerResponse, error: SaclaError): void {
  const status = httpStatus(error.code);
  const again = status === 429 || status === 503 ? { "Retry-After": "1" } : {};
  // If the connection were closed now, a client that still sends would not get the answer.
  answer.writeHead(status, { "Content-Type": "application/json", ...again });
  answer.end(JSON.stringify({ error: toWireError(error) }));
}

function headersOf({ headers }: IncomingMessage, without: ReadonlySet<string>): NodeJS.Dict<string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !without.has(name)));
}

function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
