import { SaclaError } from "../core/errors.ts";
import { questionKey } from "../transport/wrappers/question.ts";

/** Answers kept for each client. One of a changing call is small. */
const KEPT_PER_CLIENT = 1000;
const KEPT_CLIENTS = 1000;

interface Kept {
  /** Short, however long the request was, for very many are kept. */
  readonly request: string;
  readonly answer: Promise<unknown>;
}

/** Does the work of each key of each client once, and answers a repetition with the first answer. */
export class AnswerMemory {
  readonly #clients: Map<string, Map<string, Kept>> = new Map();

  /**
   * The first answer to `key`, from `work` when there is none yet.
   * @throws BAD_ARGUMENT when the key stood for another request
   */
  async once(
    client: string,
    key: string,
    method: string,
    value: unknown,
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    const kept = this.#of(client);
    const request = questionKey(method, value);
    const first = kept.get(key);
    if (first !== undefined) {
      if (first.request !== request)
        throw new SaclaError(
          "BAD_ARGUMENT",
          `The key ${key} was used for another request; make a new key for each change.`,
        );
      return await first.answer;
    }
    const answer = work();
    answer.catch(() => {});
    kept.set(key, { request, answer });
    forgetOldest(kept, KEPT_PER_CLIENT);
    return await answer;
  }

  #of(client: string): Map<string, Kept> {
    const kept = this.#clients.get(client) ?? new Map<string, Kept>();
    // Set anew, so that the client asked least lately is the first.
    this.#clients.delete(client);
    this.#clients.set(client, kept);
    forgetOldest(this.#clients, KEPT_CLIENTS);
    return kept;
  }
}

function forgetOldest(map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys();
  if (map.size > limit && oldest !== undefined) map.delete(oldest);
}
