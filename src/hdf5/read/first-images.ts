/** How many of the first images are looked at to know all of them. */
export const FIRST_IMAGES = 3;

/** The one that comes most often, the earlier of two that come equally often: one odd image must not decide. */
export function mostFrequent<T extends object>(found: readonly T[]): T | undefined {
  const like = (one: T): number => found.filter((other) => keyOf(other) === keyOf(one)).length;
  return found.toSorted((a, b) => like(b) - like(a))[0];
}

function keyOf(one: object): string {
  return Object.values(one).join(" ");
}
