let turn: Promise<unknown> = Promise.resolve();

/**
 * One after the other: a browser has few connections to a server, and what takes long must not have all of them, or a
 * STOP would wait.
 */
export async function inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const done = turn.then(async () => {
    signal.throwIfAborted();
    return await work();
  });
  turn = done.catch(() => {});
  return await done;
}
