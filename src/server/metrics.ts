import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { callMethods, streamMethods } from "../transport/methods.ts";

/** What a server has done, as Prometheus reads it. Each server has its own. */
export class ServerMetrics {
  readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #requests: Counter<"method" | "outcome">;
  readonly #seconds: Histogram<"method">;
  readonly #streams: Gauge;
  readonly #sent: Counter;

  constructor() {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "sacla_requests_total",
      help: "Requests that have ended, by method and outcome: ok or the code of the error.",
      labelNames: ["method", "outcome"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "sacla_request_seconds",
      help: "Time from a request to its answer, of a stream to its end.",
      labelNames: ["method"],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
      registers,
    });
    this.#streams = new Gauge({ name: "sacla_open_streams", help: "Streams that are being sent.", registers });
    this.#sent = new Counter({
      name: "sacla_sent_bytes_total",
      help: "Bytes of answers given to the carriers.",
      registers,
    });
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process.",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }

  /**
   * A request has ended. `outcome` is `ok` or the code of the error. A method that is in no table counts as `unknown`.
   */
  observe(method: string, ms: number, outcome: string): void {
    // A client could make names without end.
    const name = Object.hasOwn(callMethods, method) || Object.hasOwn(streamMethods, method) ? method : "unknown";
    this.#requests.inc({ method: name, outcome });
    this.#seconds.observe({ method: name }, ms / 1000);
  }

  openStreams(delta: number): void {
    this.#streams.inc(delta);
  }

  sentBytes(bytes: number): void {
    this.#sent.inc(bytes);
  }

  /** The text that Prometheus reads. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
