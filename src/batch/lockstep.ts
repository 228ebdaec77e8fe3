import type { Ledger } from "../core/ledger.ts";
import type { Shot, ShotStream } from "../core/shots.ts";

/**
 * One stream of shots for several readers at a time: each sees every shot, and the next one is read when all have done
 * with it. A reader that leaves early lets the others go on.
 */
export function lockstep(shots: ShotStream, readers: number): ShotStream[] {
  const source = shots[Symbol.asyncIterator]();
  let [waiting, left] = [0, readers];
  let turn = newTurn();
  const advance = (): void => {
    if (waiting < left || left === 0) return;
    waiting = 0;
    const ending = turn;
    turn = newTurn();
    source.next().then(ending.resolve, ending.reject);
  };
  const next = async (): Promise<IteratorResult<Shot>> => {
    waiting++;
    const { promise } = turn;
    advance();
    return await promise;
  };
  async function* read(): AsyncGenerator<Shot, void, undefined> {
    try {
      for (let found = await next(); found.done !== true; found = await next()) yield found.value;
    } finally {
      left--;
      if (left === 0) await source.return?.();
      else advance();
    }
  }
  return Array.from({ length: readers }, () => ({
    ...("count" in shots ? { count: async () => (await shots.count?.()) ?? 0 } : {}),
    get ledger(): Ledger {
      return shots.ledger ?? { asked: 0, used: 0, dropped: [] };
    },
    [Symbol.asyncIterator]: read,
  }));
}

interface Turn {
  readonly promise: Promise<IteratorResult<Shot>>;
  readonly resolve: (found: IteratorResult<Shot>) => void;
  readonly reject: (error: unknown) => void;
}

function newTurn(): Turn {
  let [resolve, reject]: [Turn["resolve"], Turn["reject"]] = [() => {}, () => {}];
  const promise = new Promise<IteratorResult<Shot>>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Somebody waits for it, or nobody any more.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** The same shots until `stop` fires: then the stream ends as if there were no more, after the shot in hand. */
export function until(shots: ShotStream, stop: AbortSignal): ShotStream {
  const from = (source: AsyncIterable<Shot>): AsyncIterable<Shot> => ({
    async *[Symbol.asyncIterator]() {
      if (stop.aborted) return;
      for await (const shot of source) {
        yield shot;
        if (stop.aborted) return;
      }
    },
  });
  const { count, describe, into, depth } = shots;
  return {
    ...(count === undefined ? {} : { count: () => count.call(shots) }),
    ...(describe === undefined ? {} : { describe: () => describe.call(shots) }),
    ...(into === undefined ? {} : { into: (memory) => from(into.call(shots, memory)) }),
    ...(depth === undefined ? {} : { depth }),
    get ledger(): Ledger {
      return shots.ledger ?? { asked: 0, used: 0, dropped: [] };
    },
    [Symbol.asyncIterator]: () => from(shots)[Symbol.asyncIterator](),
  };
}
