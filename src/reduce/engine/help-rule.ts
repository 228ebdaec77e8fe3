import { isTypeScript } from "../../transport/threads.ts";

/**
 * Shots after which this thread looks whether help pays; then after twice as many, and so on. The later half of them
 * tells how long a shot takes: the first are slower, and of 8 the last waits for the first group of images.
 */
const LOOKS = [4, 16] as const;
/**
 * What a thread takes to its first shot beyond what this one took, in milliseconds: start, modules, the HDF5 library,
 * while both touch new memory. Measured 460 and 630 for octals, of the package on 2 cores.
 */
const THREAD_MS = 500;
/** The same for the compiler of a module that is TypeScript: 440 on a quiet computer, twice that beside this thread. */
const COMPILER_MS = 900;
/** It takes at least so many times as long as the first shot here: on a slow computer both are slow. */
const BEGINNINGS = 3;
/** How much longer a shot takes beside others, which share the memory: measured 1.1 to 1.3 for octals as stored. */
const CROWDED = 1.25;
/** Part of the time of this thread alone that must be saved: the estimates are no better. */
const WORTH = 0.2;

/** What a thread takes to begin on a module, in milliseconds. */
export function beginningMs(module: URL): number {
  return THREAD_MS + (isTypeScript(module) ? COMPILER_MS : 0);
}

/** Whether others shall help with so many shots, of which the first are done here. */
export class HelpRule {
  readonly #shots: number;
  readonly #helpers: number;
  readonly #threadMs: number;
  readonly #began = performance.now();
  /** When the first shots that were told were done. */
  #first: number | undefined;
  /** The same of half the shots until the next look, and how many they were. */
  #half: { readonly at: number; readonly shots: number } | undefined;
  #next: number = LOOKS[0];

  /**
   * @param helpers - threads beside this one
   * @param threadMs - what each takes to begin
   */
  constructor(shots: number, helpers: number, threadMs: number) {
    this.#shots = shots;
    this.#helpers = helpers;
    this.#threadMs = threadMs;
  }

  /**
   * To be told after each shot how many are done.
   * @returns how many shots this thread shall do in all when others shall help with the rest, else undefined
   */
  look(done: number): number | undefined {
    const now = performance.now();
    // The first shot pays for what is done once in each part.
    this.#first ??= now;
    if (2 * done >= this.#next) this.#half ??= { at: now, shots: done };
    if (this.#helpers === 0 || done < this.#next || this.#half === undefined || done <= this.#half.shots)
      return undefined;
    const msOfPart = this.#first - this.#began;
    const msPerShot = (now - this.#half.at) / (done - this.#half.shots);
    this.#next = Math.max(LOOKS[1], 2 * done);
    this.#half = 2 * done >= this.#next ? { at: now, shots: done } : undefined;
    const threadMs = Math.max(this.#threadMs, BEGINNINGS * msOfPart);
    const left = this.#shots - done;
    const crowded = CROWDED * msPerShot;
    // All end together: crowded × mine = threadMs + msOfPart + crowded × (left − mine) / helpers.
    const mine = Math.ceil((left + (this.#helpers * (threadMs + msOfPart)) / crowded) / (this.#helpers + 1));
    // The merge takes about as long as the beginning of a part, in which the same memory is touched.
    const together = crowded * mine + msOfPart;
    return together < (1 - WORTH) * msPerShot * left ? done + mine : undefined;
  }
}
