import type { Reply } from "zeromq";
import { sleep } from "../../core/async.ts";
import { Detectors } from "../../core/detectors.ts";
import { isSaclaError, SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { contiguous, shapeOf } from "../../core/ndarray.ts";
import { any, optional, resolveOptions } from "../../core/options.ts";
import { Live, type LiveShot, LiveShots, type LiveShotsOptions } from "../../live/index.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { loadZeromq } from "../../transport/zmq/load.ts";
import { cannotBind, isLoopback } from "../bind-address.ts";
import { behindGate, openGate } from "../zmq-gate.ts";
import { encodeMsgpack } from "./msgpack.ts";

export interface KaraboBridgeOptions {
  /** @default "tcp://127.0.0.1:4545" */
  readonly address?: string | undefined;
  /** Which shots, as for `live.shots`; by default the newest at each request. */
  readonly shots: Omit<LiveShotsOptions, "signal" | "timeoutMs">;
  /** @default silent */
  readonly logger?: Logger | undefined;
}

/** A running output for karabo-bridge clients. */
export interface KaraboBridge extends AsyncDisposable {
  /** What clients connect to, the port filled in. */
  readonly address: string;
  /** Shots sent so far. */
  readonly sent: number;
  /** Answers nothing more. A second call does nothing. */
  close(): Promise<void>;
}

const RETRY_MS = 1000;

/**
 * Gives live shots to tools that speak the protocol of the European XFEL's karabo-bridge, version 2.2, REQ/REP: each
 * request `next` is answered by the newest shot. Several clients share the shots. Each sensor and each signal is a
 * source; an image is its `image.data`, a 0-D value its `value` (NaN where there is none, then with a `reason`), and
 * `timestamp.tid` is the tag. The protocol knows no keys, so it is given on this computer only.
 *
 * @throws UNKNOWN_DETECTOR when one of `shots.detectors` is not live, with the list of those that are
 * @throws NOT_ALLOWED for an address beyond loopback
 * @throws NO_ZEROMQ in Deno and Bun
 * @throws UNREACHABLE when the address cannot be taken
 * @example
 * const shots = { bl: 3, detectors: ["MPCCD-2N0-M02-001"] };
 * await using bridge = await serveKaraboBridge(facility.endpoint, { shots });
 */
export async function serveKaraboBridge(endpoint: Endpoint, options: KaraboBridgeOptions): Promise<KaraboBridge> {
  const checks = { address: optional(asText, "tcp://127.0.0.1:4545"), shots: any, logger: any };
  const { address, shots, logger = silentLogger } = resolveOptions("serveKaraboBridge", options, checks);
  if (!isLoopback(address)) {
    throw new SaclaError(
      "NOT_ALLOWED",
      `karabo-bridge knows no keys, so ${show(address)} is refused: ` +
        "use tcp://127.0.0.1:PORT, and an ssh tunnel from elsewhere.",
      { details: { address } },
    );
  }
  const { Context, Reply } = await loadZeromq();
  await checkDetectors(endpoint, shots);
  const context = new Context();
  const socket = new Reply({ context, linger: 0, sendHighWaterMark: 1, ...behindGate });
  let closeGate = (): void => {};
  try {
    closeGate = await openGate(context, { mechanism: "NULL", admit: () => "karabo-bridge" }, logger);
    await socket.bind(address);
  } catch (error) {
    closeGate();
    socket.close();
    throw cannotBind(address, error, { address });
  }
  return new Bridge(endpoint, socket, shots, logger, () => {
    closeGate();
    // Held until here, for a context that is garbage ends its sockets.
    void context;
  });
}

/** A detector that is not live gives no shot, and clients would wait for ever. @throws UNKNOWN_DETECTOR */
async function checkDetectors(endpoint: Endpoint, { bl, detectors = [] }: KaraboBridgeOptions["shots"]): Promise<void> {
  if (detectors.length === 0) return;
  const live = new Detectors(await new Live(endpoint).readDetidlist(bl), `Beamline ${bl}`);
  for (const id of detectors) live.find(id);
}

class Bridge implements KaraboBridge {
  readonly address: string;
  sent = 0;
  readonly #endpoint: Endpoint;
  readonly #socket: Reply;
  readonly #options: KaraboBridgeOptions["shots"];
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #answering: Promise<void>;
  readonly #closeGate: () => void;
  #shots: AsyncIterator<LiveShot> | undefined;

  constructor(
    endpoint: Endpoint,
    socket: Reply,
    options: KaraboBridgeOptions["shots"],
    logger: Logger,
    closeGate: () => void,
  ) {
    this.#closeGate = closeGate;
    this.#endpoint = endpoint;
    this.#socket = socket;
    this.#options = options;
    this.#logger = logger;
    this.address = socket.lastEndpoint ?? "";
    this.#answering = this.#answer();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#socket.close();
    this.#closeGate();
    await this.#answering;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #answer(): Promise<void> {
    try {
      for await (const [request] of this.#socket) {
        if (request?.toString() !== "next") {
          await this.#socket.send(`Error: bad request ${show(request?.toString() ?? "")}`);
          continue;
        }
        const shot = await this.#next();
        // The clients wait for more, as they would between two runs.
        if (shot === null) return;
        await this.#socket.send(karaboMessage(shot, this.#options.signals ?? []));
        this.sent++;
      }
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#logger.error({ error: toSaclaError(error).message }, "the karabo-bridge output ended");
    } finally {
      await this.#shots?.return?.();
    }
  }

  /** The next shot, tried for until the source gives one; null when there will be none. */
  async #next(): Promise<LiveShot | null> {
    for (;;) {
      try {
        this.#shots ??= new LiveShots(this.#endpoint, { ...this.#options, signal: this.#stop.signal })[
          Symbol.asyncIterator
        ]();
        const next = await this.#shots.next();
        return next.done === true ? null : next.value;
      } catch (error) {
        this.#shots = undefined;
        if (
          isSaclaError(error, "ABORTED", "CLOSED", "UNKNOWN_DETECTOR", "UNKNOWN_SIGNAL", "UNSUPPORTED", "BAD_ARGUMENT")
        )
          throw error;
        this.#logger.warn({ error: toSaclaError(error).message }, "no live shot; trying again");
        await sleep(RETRY_MS, this.#stop.signal);
      }
    }
  }
}

/**
 * A shot as the parts of a karabo-bridge 2.2 message: for each source header and data, for each array header and bytes.
 */
export function karaboMessage(shot: LiveShot, signals: readonly string[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const { hightag, run, latencyMs } = shot;
  for (const [source, image] of Object.entries(shot.images)) {
    parts.push(
      encodeMsgpack({ source, content: "msgpack", metadata: metadata(source, shot) }),
      encodeMsgpack({ hightag, run, latencyMs }),
    );
    // A copy: the socket sends later, when the memory holds the next shot already.
    const pixels = contiguous(image).slice();
    const dtype = pixels instanceof Uint16Array ? "uint16" : "float32";
    parts.push(
      encodeMsgpack({ source, content: "array", path: "image.data", dtype, shape: shapeOf(source, image) }),
      new Uint8Array(pixels.buffer),
    );
  }
  for (const source of signals) {
    const value = shot.value(source);
    const data = "value" in value ? value : { value: NaN, unit: "", reason: value.reason };
    parts.push(
      encodeMsgpack({ source, content: "msgpack", metadata: metadata(source, shot) }),
      encodeMsgpack({ ...data, hightag, run }),
    );
  }
  return parts;
}

function metadata(source: string, { time, tag }: LiveShot): { readonly [key: string]: string | number } {
  const micros = Math.round(time * 1e6);
  const seconds = Math.floor(micros / 1e6);
  return {
    source,
    timestamp: time,
    "timestamp.sec": String(seconds),
    // Attoseconds, of which we know the microseconds.
    "timestamp.frac": `${String(micros - seconds * 1e6).padStart(6, "0")}000000000000`,
    "timestamp.tid": tag,
  };
}
