import { defined } from "../../core/options.ts";
import type { VirtualAxis } from "../beamline/virtual-devices.ts";
import { Journal } from "../engine/journal.ts";

/** How long moves of one axis have taken. */
export interface LearntTimes {
  readonly moves: number;
  /** Seconds whatever the way. */
  readonly overheadSeconds: number;
  /** Units/s. */
  readonly speed: number;
}

/**
 * Move times from the journals of earlier scans: for each axis a straight line through the times of the moves it made
 * alone. Axes with fewer than three moves over different ways are left out.
 *
 * @example
 * const learnt = learnMoveTimes(["delay.journal"]);
 * dryRun(plan, { devices: { axes: withLearntTimes(axes, learnt) } });
 */
export function learnMoveTimes(paths: readonly string[]): ReadonlyMap<string, LearntTimes> {
  const all = new Map<string, { way: number; seconds: number }[]>();
  for (const path of paths) {
    const journal = Journal.open(path);
    journal.close();
    const at = new Map<string, number>();
    for (const { did, begunMs, endedMs } of journal.past.values()) {
      const message: unknown = JSON.parse(did);
      const to = targetIn(message);
      if (to === undefined) continue;
      const [first, ...others] = Object.entries(to);
      if (first !== undefined && others.length === 0 && endedMs !== undefined) {
        const [axis, position] = first;
        const from = at.get(axis);
        if (from !== undefined)
          all.set(axis, [
            ...(all.get(axis) ?? []),
            { way: Math.abs(position - from), seconds: (endedMs - begunMs) / 1000 },
          ]);
      }
      for (const [axis, position] of Object.entries(to)) at.set(axis, position);
    }
  }
  return new Map([...all].flatMap(([axis, moves]) => lineThrough(moves).map((learnt) => [axis, learnt] as const)));
}

/** Axes whose times are those learnt, where there are some. */
export function withLearntTimes(
  axes: Readonly<Record<string, VirtualAxis>>,
  learnt: ReadonlyMap<string, LearntTimes>,
): Record<string, VirtualAxis> {
  return Object.fromEntries(
    Object.entries(axes).map(([name, { limits, ...axis }]) => {
      const times = learnt.get(name);
      if (times === undefined) return [name, { limits, ...axis }];
      // Ramp and backlash are in the learnt times.
      return [
        name,
        {
          limits,
          speed: times.speed,
          overheadSeconds: times.overheadSeconds,
          ...defined({ start: axis.start }),
        },
      ];
    }),
  );
}

function lineThrough(moves: readonly { readonly way: number; readonly seconds: number }[]): LearntTimes[] {
  const n = moves.length;
  const mean = (of: (move: { readonly way: number; readonly seconds: number }) => number): number =>
    moves.reduce((sum, move) => sum + of(move), 0) / n;
  const [way, seconds] = [mean((move) => move.way), mean((move) => move.seconds)];
  const spread = mean((move) => (move.way - way) ** 2);
  if (n < 3 || spread <= 0) return [];
  const slope = mean((move) => (move.way - way) * (move.seconds - seconds)) / spread;
  // Noise can make the line fall; then all moves take the same time.
  if (!(slope > 0)) return [{ moves: n, overheadSeconds: seconds, speed: Infinity }];
  return [{ moves: n, overheadSeconds: Math.max(0, seconds - slope * way), speed: 1 / slope }];
}

function targetIn(message: unknown): Record<string, number> | undefined {
  if (
    typeof message !== "object" ||
    message === null ||
    !("kind" in message) ||
    message.kind !== "move" ||
    !("to" in message)
  )
    return undefined;
  if (typeof message.to !== "object" || message.to === null) return undefined;
  return Object.fromEntries(
    Object.entries(message.to).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
