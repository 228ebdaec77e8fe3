/** Where devices were at a moment. */
export interface Snapshot {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly values: Readonly<Record<string, SnapshotEntry>>;
}

export interface SnapshotEntry {
  /** Control name: a name can stand for another device in the next beam time. */
  readonly device: string;
  readonly unit: string;
  readonly value: number | string;
}

export interface Difference {
  readonly name: string;
  readonly before: SnapshotEntry;
  readonly now: SnapshotEntry;
}

/** What differs between two snapshots by more than `toleranceOf` its name, in units. */
export function differences(before: Snapshot, now: Snapshot, toleranceOf: (name: string) => number): Difference[] {
  return Object.entries(before.values).flatMap(([name, was]) => {
    const is = now.values[name];
    if (is === undefined) return [];
    const isSame =
      was.device === is.device &&
      was.unit === is.unit &&
      (was.value === is.value ||
        (typeof was.value === "number" &&
          typeof is.value === "number" &&
          Math.abs(was.value - is.value) <= toleranceOf(name)));
    return isSame ? [] : [{ name, before: was, now: is }];
  });
}
