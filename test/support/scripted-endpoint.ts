import type { CallOptions } from "../../src/core/async.ts";
import { SaclaError } from "../../src/core/errors.ts";
import type { Endpoint, StreamOptions } from "../../src/transport/endpoint.ts";
import type {
  CallMethod,
  CallParams,
  CallResult,
  ShotFrames,
  StreamItem,
  StreamMethod,
  StreamParams,
} from "../../src/transport/methods.ts";

type Step = ShotFrames | Error | "hang" | "end";

/**
 * An Endpoint that does what a test wrote down, one entry for each time it is asked, and remembers what it was asked.
 */
export class ScriptedEndpoint implements Endpoint {
  readonly asked: { method: string; params: unknown; options: CallOptions }[] = [];
  readonly #calls: (unknown | Error | "hang")[];
  readonly #streams: readonly (readonly Step[])[];
  #opened = 0;

  constructor(script: { calls?: readonly unknown[]; streams?: readonly (readonly Step[])[] }) {
    this.#calls = [...(script.calls ?? [])];
    this.#streams = script.streams ?? [];
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.asked.push({ method, params, options });
    const answer = this.#calls.length > 1 ? this.#calls.shift() : this.#calls[0];
    if (answer instanceof Error) throw answer;
    return (answer === "hang" ? await untilAborted(options) : answer) as CallResult<M>;
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>> {
    this.asked.push({ method, params, options });
    const steps = this.#streams[Math.min(this.#opened++, this.#streams.length - 1)] ?? [];
    for (const step of steps) {
      if (step instanceof Error) throw step;
      if (step === "end") return;
      if (step === "hang") await untilAborted(options);
      else yield step as StreamItem<M>;
    }
  }

  async close(): Promise<void> {}
}

async function untilAborted({ signal }: CallOptions): Promise<never> {
  return await new Promise((_, reject) => {
    signal?.addEventListener(
      "abort",
      () => reject(new SaclaError("ABORTED", "the scripted endpoint was told to stop")),
      { once: true },
    );
  });
}

export function unreachable(): SaclaError {
  return new SaclaError("UNREACHABLE", "nobody there");
}

/** A shot without images, to follow the tags of a stream. */
export function bareShot(tag: number): ShotFrames {
  return { tag, frames: [], missing: [] };
}
