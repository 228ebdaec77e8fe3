import type { Beamline } from "../beamline/beamline.ts";
import type { Plan } from "../messages/messages.ts";
import { targetsOf, walk } from "./check.ts";
import type { Journal } from "./journal.ts";
import type { TargetMap } from "./target-map.ts";

/** Plans with more points are described by their axes alone. */
const MOST_POINTS = 100_000;

/** What a plan goes over, as far as it is known before it begins. */
export interface PlanLayout {
  /** Axes of its rows, slowest first; those that move on one line together stand in one dimension. */
  readonly dimensions: readonly (readonly string[])[];
  /** Rows it writes; undefined where this follows from what is measured. */
  readonly points?: number;
  /**
   * Of the first axis of each dimension: its first and last position; least and greatest for points that are neither on
   * a line nor on an even grid.
   */
  readonly extents?: readonly (readonly [from: number, to: number])[];
  /** Points of each dimension, when every place of a grid is visited in order, and whether it turns at its ends. */
  readonly grid?: { readonly shape: readonly number[]; readonly snaking: readonly boolean[] };
  /** In words of `bluesky.plan_patterns`. */
  readonly pattern?: "inner_product" | "inner_list_product" | "outer_product" | "outer_list_product";
  /** Decimals that tell neighbouring positions of an axis apart. */
  readonly decimals: Readonly<Record<string, number>>;
}

/**
 * Walks a plan without doing anything, and finds its axes, points and grid from its rows: for plans of any program,
 * too. A plan that cannot be walked has no axes.
 * @param journal - that of a scan which goes on: where axes were when it began
 */
export async function planLayout(
  plan: Plan,
  beamline: Pick<Beamline, "where">,
  maps: Readonly<Record<string, TargetMap>>,
  journal?: Journal,
): Promise<PlanLayout> {
  const moved = new Set<string>();
  const ofSpots = new Set<string>();
  const columns = new Map<string, number[]>();
  let [points, isSpot, flies, isTooLong] = [0, false, false, false];
  try {
    await walk(plan, startingAt(beamline, journal), maps, (message) => {
      for (const [axis] of targetsOf(message)) (isSpot ? ofSpots : moved).add(axis);
      if (message.kind === "move") isSpot = false;
      if (message.kind === "spot") isSpot = true;
      if (message.kind === "fly") {
        flies = true;
        const { axis, from, to, shots } = message.request;
        columns.set(axis, [...(columns.get(axis) ?? []), from, from + (to - from) / shots, to]);
      }
      if (message.kind !== "point") return;
      points++;
      for (const [axis, position] of Object.entries(message.data)) {
        const column = columns.get(axis);
        if (column === undefined) columns.set(axis, [position]);
        else column.push(position);
      }
      isTooLong = points >= MOST_POINTS;
      return isTooLong ? false : undefined;
    });
  } catch {
    // The engine tells what is wrong with the plan.
  }
  const inRows = [...columns.keys()];
  // Where every point has a fresh spot, the axes of the spots are those of the scan unless it has others.
  const own = inRows.filter((axis) => moved.has(axis));
  const axes = own.length > 0 ? own : inRows.filter((axis) => ofSpots.has(axis));
  const decimals = Object.fromEntries(axes.map((axis) => [axis, decimalsOf(columns.get(axis) ?? [])]));
  if (plan.adaptive || isTooLong || flies || axes.some((axis) => columns.get(axis)?.length !== points))
    return { decimals, dimensions: axes.map((axis) => [axis]) };
  const grid = own.length < 2 ? undefined : gridOf(axes.map((axis) => columns.get(axis) ?? []));
  const order = grid === undefined ? axes : grid.order.map((i) => axes[i] ?? "");
  const dimensions =
    grid === undefined && areOnOneLine(axes.map((axis) => columns.get(axis) ?? []))
      ? [order].filter((each) => each.length > 0)
      : order.map((axis) => [axis]);
  const isEven = axes.every((axis) => isEvenly(columns.get(axis) ?? [], grid !== undefined));
  const isScattered = grid === undefined ? dimensions.length > 1 : !isEven;
  const extents = dimensions.map(([axis = ""]) => {
    const column = columns.get(axis) ?? [];
    return isScattered ? rangeOf(column) : endsOf(grid === undefined ? column : [...new Set(column)]);
  });
  const pattern = `${grid === undefined ? "inner" : "outer"}_${isEven ? "" : "list_"}product` as const;
  return { decimals, dimensions, points, extents, pattern, ...(grid === undefined ? {} : { grid: grid.grid }) };
}

/** Where axes were when the scan began, which a scan that goes on knows from its journal. */
function startingAt(beamline: Pick<Beamline, "where">, journal: Journal | undefined): Pick<Beamline, "where"> {
  const before = new Map<string, number>();
  for (const [, { did, got }] of [...(journal?.past ?? [])].sort(([a], [b]) => a - b))
    if (got?.kind === "positions" && did.startsWith('{"kind":"where"'))
      for (const [axis, at] of Object.entries(got.at)) if (!before.has(axis)) before.set(axis, at);
  return {
    where: async (axes) => {
      const unknown = axes.filter((axis) => !before.has(axis));
      const now = unknown.length === 0 ? {} : await beamline.where(unknown);
      return Object.fromEntries(axes.map((axis) => [axis, before.get(axis) ?? now[axis] ?? NaN]));
    },
  };
}

function rangeOf(column: readonly number[]): readonly [number, number] {
  return column.reduce(([least, greatest], x) => [Math.min(least, x), Math.max(greatest, x)], [Infinity, -Infinity]);
}

function endsOf(column: readonly number[]): readonly [number, number] {
  return [column[0] ?? NaN, column.at(-1) ?? NaN];
}

/** Decimals with which neighbouring positions differ and each is true to a hundredth of the step. */
function decimalsOf(column: readonly number[]): number {
  let step = Infinity;
  for (let i = 1; i < column.length; i++) {
    const change = Math.abs((column[i] ?? NaN) - (column[i - 1] ?? NaN));
    if (change > 1e-9) step = Math.min(step, change);
  }
  if (step === Infinity) step = 0.01;
  const isTold = (digits: number): boolean =>
    column.slice(0, 100).every((x) => Math.abs(Number(x.toFixed(digits)) - x) <= step / 100);
  for (let digits = 0; digits < 9; digits++) if (isTold(digits)) return digits;
  return 9;
}

/** Whether the positions of an axis are equal steps; in a grid each comes many times. */
function isEvenly(column: readonly number[], inGrid: boolean): boolean {
  const positions = inGrid ? [...new Set(column)] : column;
  const [first = NaN] = positions;
  const step = ((positions.at(-1) ?? NaN) - first) / Math.max(1, positions.length - 1);
  return positions.every((x, i) => Math.abs(x - first - i * step) <= 1e-6 * Math.abs(step));
}

/** Whether all columns run along one straight line, so that any of them is an axis of the whole. */
function areOnOneLine(columns: readonly (readonly number[])[]): boolean {
  const [first = [], ...others] = columns;
  const [least, greatest] = rangeOf(first);
  if (others.length === 0) return true;
  const [a, b] = [first.indexOf(least), first.indexOf(greatest)];
  return others.every((column) => {
    const [low, high] = rangeOf(column);
    const slope = least === greatest ? 0 : ((column[b] ?? NaN) - (column[a] ?? NaN)) / (greatest - least);
    return column.every(
      (y, i) => Math.abs(y - (column[a] ?? NaN) - slope * ((first[i] ?? NaN) - least)) <= 1e-6 * (high - low) + 1e-9,
    );
  });
}

/** The grid that columns run through, slowest column first; undefined when it is none, or visited out of order. */
function gridOf(
  columns: readonly (readonly number[])[],
): { readonly order: readonly number[]; readonly grid: NonNullable<PlanLayout["grid"]> } | undefined {
  const points = columns[0]?.length ?? 0;
  const levels = columns.map((column) => [...new Set(column)]);
  if (levels.some(({ length }) => length < 2) || levels.reduce((n, { length }) => n * length, 1) !== points)
    return undefined;
  // The slower a column, the seldomer it changes.
  const changes = columns.map((column) => column.filter((x, i) => i > 0 && x !== column[i - 1]).length);
  const order = [...columns.keys()].sort((a, b) => (changes[a] ?? 0) - (changes[b] ?? 0));
  const shape = order.map((i) => levels[i]?.length ?? 0);
  for (const turns of [true, false]) {
    const snaking = shape.map((_, i) => turns && i > 0);
    const isThis = order.every((k, d) => {
      const inner = shape.slice(d + 1).reduce((a, b) => a * b, 1);
      const size = shape[d] ?? 1;
      return columns[k]?.every((x, n) => {
        const step = Math.floor(n / inner);
        const at = step % size;
        const isBack = turns && d > 0 && Math.floor(step / size) % 2 === 1;
        return x === levels[k]?.[isBack ? size - 1 - at : at];
      });
    });
    if (isThis) return { order, grid: { shape, snaking } };
  }
  return undefined;
}
