import { badArgument } from "../../core/guards.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { defineReducer, type Layout, type Reducer, type State } from "../reducer.ts";

/** What {@link byClass} gives. */
export interface ByClass<T> {
  /** The answer over the shots of each class, also of a class without shots. */
  readonly classes: Readonly<Record<string, T>>;
  /** Shots in each class. */
  readonly counts: Readonly<Record<string, number>>;
  /** Shots in no class; they went into no answer. */
  readonly unclassified: number;
}

/**
 * Any reducer, once for each class of shots, in one pass: light and dark-n, on and off, steps of a scan. Memory: that
 * of the reducer times the number of classes, which is why they must be named beforehand. What the WebAssembly kernel
 * can count, it counts for the first eight classes that appear, each in memory of its own (about 17 MB for mean,
 * variance and histogram of 1024 × 512), which {@link memoryOf} knows; the images of further classes go the plain way,
 * to the same bits.
 *
 * @param classes - their names
 * @param classOf - class of a shot, null for none; `classOf` makes one from tags by class. Give reducers of one pass
 * the same
 *   function, and the kernel counts for them together
 * @throws BAD_ARGUMENT when a name comes twice, or a shot is given a class that was not named
 * @example
 * const classOf = (tag: number) => (labels.on.has(tag) ? "on" : labels.off.has(tag) ? "off" : null);
 * const { average } = await reduce(shots, { average: byClass(mean(), ["on", "off"], classOf) });
 * average[sensor].classes.on;
 */
export function byClass<T>(
  reducer: Reducer<T>,
  classes: readonly string[],
  classOf: (tag: number) => string | null,
): Reducer<ByClass<T>> {
  if (classes.length === 0 || new Set(classes).size !== classes.length)
    throw badArgument("classes", classes, "at least one name, each once");
  const numbers = new Map(classes.map((name, k) => [name, k]));
  const parts = new WeakMap<object, readonly State<Layout>[]>();
  const partsOf = (state: State<Layout>, frame: ImageSpec): readonly State<Layout>[] => {
    let made = parts.get(state);
    if (made === undefined) {
      const names = Object.keys(reducer.layout(frame));
      made = classes.map((_, k) => partOf(state, names, k));
      parts.set(state, made);
    }
    return made;
  };
  const place = (
    state: State<Layout>,
    tag: number,
    name: string | null,
    frame: ImageSpec,
  ): State<Layout> | undefined => {
    const number = name === null ? classes.length : numbers.get(name);
    if (number === undefined) throw badArgument(`class of tag ${tag}`, name, `one of ${classes.join(", ")}, or null`);
    const shots = counts(state);
    shots[number] = (shots[number] ?? 0) + 1;
    return partsOf(state, frame)[number];
  };
  const isCounted = reducer.kernel !== undefined || reducer.dispatch !== undefined;
  return defineReducer<ByClass<T>, Layout>({
    name: `byClass(${classes.join(", ")}; ${reducer.name})`,
    signals: reducer.signals,
    appliesDark: reducer.appliesDark,
    sumsOnGrid: reducer.sumsOnGrid,
    dispatch: isCounted ? { reducer, classes, classOf, select: place } : undefined,
    layout: (frame) => {
      const fields = Object.entries(reducer.layout(frame));
      const all: Record<string, Layout[string]> = {
        shots: { type: "float64", length: classes.length + 1, merge: "sum" },
      };
      // The classes are taken in by one reducer, so they share its work memory.
      for (const k of classes.keys())
        for (const [name, field] of fields) if (k === 0 || field.type !== "scratch") all[fieldName(k, name)] = field;
      return all;
    },
    add: (state, pixels, shot, frame, dark) => {
      const part = place(state, shot.tag, classOf(shot.tag), frame);
      if (part !== undefined) reducer.add(part, pixels, shot, frame, dark);
    },
    result: (state, frame, dark, isLast) => {
      const shots = counts(state);
      return {
        classes: Object.fromEntries(
          partsOf(state, frame).map((part, k) => [classes[k], reducer.result(part, frame, dark, isLast)]),
        ),
        counts: Object.fromEntries(classes.map((name, k) => [name, shots[k] ?? 0])),
        unclassified: shots[classes.length] ?? 0,
      };
    },
  });
}

function counts(state: State<Layout>): Float64Array {
  const { shots } = state;
  if (shots instanceof Float64Array) return shots;
  throw badArgument("state", Object.keys(state), "made by the layout of byClass");
}

function fieldName(k: number, name: string): string {
  return `${k} ${name}`;
}

/**
 * One class's fields under the names its reducer knows them by. They are looked up each time: the engine may move them.
 */
function partOf(state: State<Layout>, names: readonly string[], k: number): State<Layout> {
  const part = {};
  for (const name of names)
    Object.defineProperty(part, name, { enumerable: true, get: () => state[fieldName(k, name)] });
  return part;
}
