import { sleep } from "../../core/async.ts";
import type { Clock } from "../../core/clock.ts";
import { hash, Random } from "../../core/random.ts";
import type { OperatorAnswer } from "../../ec/index.ts";
import type { AcceleratorRequest } from "../../transport/request-methods.ts";

/** What operators there are; `hostile`: at each request one of the others. */
export const operatorKinds = ["prompt", "slow", "partial", "refusing", "absent", "hostile"] as const;
type OperatorKind = (typeof operatorKinds)[number];

const reasons = [
  "we are tuning for the other beamline",
  "injection into the ring comes first",
  "the bunch compressor is not stable enough for that",
] as const;

/** Seconds until they answer, shortest and longest. */
const seconds: Readonly<Record<Exclude<OperatorKind, "absent" | "hostile">, readonly [number, number]>> = {
  prompt: [1, 3],
  slow: [15, 45],
  partial: [1, 5],
  refusing: [2, 5],
};
/** Shares of the kinds among hostile operators. */
const mixture: readonly (readonly [Exclude<OperatorKind, "hostile">, number])[] = [
  ["prompt", 0.5],
  ["slow", 0.15],
  ["partial", 0.15],
  ["refusing", 0.1],
  ["absent", 0.1],
];

/** The operators of the simulated accelerator: what they say to a request follows from the seed and its number. */
export class SimulatedOperators {
  readonly #seed: number;
  readonly #kind: OperatorKind;
  readonly #clock: Clock;
  readonly #speed: number;

  constructor(seed: number, kind: OperatorKind, clock: Clock, speed: number) {
    this.#seed = seed;
    this.#kind = kind;
    this.#clock = clock;
    this.#speed = speed;
  }

  /** @throws ABORTED when nobody waits for the answer any more */
  async answer(request: AcceleratorRequest, signal: AbortSignal): Promise<OperatorAnswer> {
    const random = new Random(hash(this.#seed, "operators", request.id));
    const kind = this.#kind === "hostile" ? drawn(random) : this.#kind;
    if (kind === "absent") {
      // Until nobody waits any more.
      for (;;) await sleep(86_400_000, signal);
    }
    const [shortest, longest] = seconds[kind];
    const after = shortest + (longest - shortest) * random.uniform();
    await this.#clock.until(this.#clock.now() + after / Math.max(1e-6, this.#speed), signal);
    const operator = "simulated operator";
    if (kind === "refusing") {
      const why = reasons[Math.floor(random.uniform() * reasons.length)] ?? reasons[0];
      return { operator, answer: "decline", to: null, why };
    }
    const { from, asked } = request;
    if (kind === "partial" && typeof from === "number" && typeof asked === "number") {
      // Half of the way, with as few digits as show it.
      const to = Number((from + (asked - from) / 2).toPrecision(6));
      if (to !== asked) return { operator, answer: "change", to, why: "half of it is what the machine can do now" };
    }
    return { operator, answer: "accept", to: null, why: "" };
  }
}

function drawn(random: Random): Exclude<OperatorKind, "hostile"> {
  let left = random.uniform();
  for (const [kind, share] of mixture) {
    left -= share;
    if (left < 0) return kind;
  }
  return "prompt";
}
