import { connect, type Socket } from "node:net";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { isWhole, LONGEST_MESSAGE, type MadocaReply, parseReply } from "./text.ts";

interface Waiting {
  readonly request: string;
  /** Of performance.now(). */
  readonly deadline: number;
  readonly resolve: (reply: MadocaReply) => void;
  readonly reject: (error: SaclaError) => void;
}

/** A reply without a line break is whole when nothing follows it for so long. */
const QUIET_MS = 15;

/**
 * One TCP connection of MADOCA text: one request, one reply, the next. It is opened when it is needed and again after
 * it broke. What waited too long is never sent: a move must not begin when nobody waits for it any more.
 */
export class MadocaLink {
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  readonly #queue: Waiting[] = [];
  #socket: Socket | undefined;
  #isBusy = false;
  #isClosed = false;

  constructor(host: string, port: number, timeoutMs: number) {
    this.#host = host;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The reply to `verb/object/complement`.
   * @throws UNREACHABLE when there is no connection, or it broke (a `get` is asked once more) @throws TIMEOUT @throws
   * BAD_MESSAGE @throws CLOSED
   */
  async ask(verb: "get" | "put", object: string, complement: string): Promise<MadocaReply> {
    const request = `${verb}/${object}/${complement}`;
    const deadline = performance.now() + this.#timeoutMs;
    let reply: MadocaReply;
    try {
      reply = await this.#enqueue(request, deadline);
    } catch (error) {
      if (verb === "put" || !isSaclaError(error, "UNREACHABLE") || performance.now() >= deadline) throw error;
      reply = await this.#enqueue(request, deadline);
    }
    if (reply.object === object && reply.verb === verb) return reply;
    // An answer to another question: whatever comes next on this connection is not to be trusted.
    this.#drop();
    throw new SaclaError("BAD_MESSAGE", `${show(request)} was answered with ${reply.verb} of ${reply.object}.`);
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
    for (const waiting of this.#queue.splice(0))
      waiting.reject(new SaclaError("CLOSED", `${waiting.request} was asked of a closed connection.`));
  }

  #enqueue(request: string, deadline: number): Promise<MadocaReply> {
    if (this.#isClosed) throw new SaclaError("CLOSED", `${request} was asked of a closed connection.`);
    if (request.length + 1 > LONGEST_MESSAGE)
      throw new SaclaError(
        "BAD_MESSAGE",
        `A request has ${request.length} bytes, but at most ${LONGEST_MESSAGE} are sent.`,
      );
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, deadline, resolve, reject });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { request, deadline, resolve, reject } = next;
      try {
        resolve(parseReply(await this.#exchange(request, deadline)));
      } catch (error) {
        this.#drop();
        reject(
          isSaclaError(error)
            ? error
            : new SaclaError(
                "UNREACHABLE",
                `${this.#where}: ${error instanceof Error ? error.message : String(error)}.`,
                { cause: error },
              ),
        );
      }
    }
    this.#isBusy = false;
  }

  get #where(): string {
    return `The MADOCA server ${this.#host}:${this.#port}`;
  }

  async #exchange(request: string, deadline: number): Promise<string> {
    const leftMs = deadline - performance.now();
    const late = new SaclaError(
      "TIMEOUT",
      `${this.#where} gave no answer to ${show(request)} within ${this.#timeoutMs} ms.`,
      { details: { request } },
    );
    // Of a put that is sent in the last moment nobody would hear whether it was done.
    if (leftMs <= this.#timeoutMs / 10) throw late;
    if (this.#isClosed) throw new SaclaError("CLOSED", `${request} was asked of a closed connection.`);
    const socket = this.#connected();
    let timer: NodeJS.Timeout | undefined;
    let quiet: NodeJS.Timeout | undefined;
    let detach = (): void => {};
    try {
      return await new Promise<string>((resolve, reject) => {
        let text = "";
        const onData = (bytes: Buffer): void => {
          clearTimeout(quiet);
          text += bytes.toString("latin1");
          if (text.length > LONGEST_MESSAGE) {
            reject(new SaclaError("BAD_MESSAGE", `${this.#where} sent more than ${LONGEST_MESSAGE} bytes.`));
            return;
          }
          const end = text.search(/[\r\n\0]/);
          if (end === 0) text = text.slice(1);
          else if (end > 0) resolve(text.slice(0, end));
          else if (isWhole(text)) quiet = setTimeout(() => resolve(text), QUIET_MS);
        };
        const onEnd = (error?: unknown): void => {
          if (isWhole(text)) {
            resolve(text);
            return;
          }
          const why = error instanceof Error ? error.message : "the connection was closed";
          reject(new SaclaError("UNREACHABLE", `${this.#where}: ${why}.`, { details: { request }, cause: error }));
        };
        socket.on("data", onData).on("error", onEnd).on("close", onEnd);
        detach = () => void socket.off("data", onData).off("error", onEnd).off("close", onEnd);
        timer = setTimeout(() => reject(late), Math.ceil(leftMs));
        socket.write(`${request}\n`);
      });
    } finally {
      clearTimeout(timer);
      clearTimeout(quiet);
      detach();
    }
  }

  #connected(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    // Listened to for as long as it lives: without a listener an error would end the process.
    socket.on("error", () => this.#drop(socket)).on("close", () => this.#drop(socket));
    this.#socket = socket;
    return socket;
  }

  #drop(socket: Socket | undefined = this.#socket): void {
    if (socket === undefined) return;
    if (this.#socket === socket) this.#socket = undefined;
    socket.destroy();
  }
}
