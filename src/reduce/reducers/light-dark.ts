import { asFinite, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { TagList } from "../../core/tags.ts";

/**
 * A signal that tells light from dark: one value per tag. Light is above, or below, a limit. NaN (not converged,
 * missing) is not light: a detector of the pump pulse has no number where there was no pulse.
 */
export interface LightSignal {
  readonly values: ArrayLike<number>;
  readonly above?: number;
  readonly below?: number;
}

/** Whether a shot had light: null when it cannot be told. */
export type IsLight = (tag: number, index: number) => boolean | null;

/**
 * Classes of a pump–probe run with fewer pump pulses than X-ray pulses, as SFX pipelines at SACLA make them (ostrich):
 * `light`, and `dark1`, `dark2`, … for the first, second, … dark shot after a light one, or from the first shot of the
 * list on. Shots from one that cannot be told up to the next light one are in no class.
 *
 * @param tags - **every** shot of the run, also those without an image: the n in dark-n counts them
 * @param light - a signal with its limit, or a predicate, which can also say that a shot cannot be told
 * @returns tags by class: `light` first, then by number; only classes that occur
 * @throws BAD_ARGUMENT when the signal has not one value per tag, or not one limit
 * @example
 * const pump = await run.column("xfel_bl_3_st_2_pd_laser_fitting_peak/voltage", tags);
 * const classes = lightDarkClasses(tags, { values: pump.values, above: 0.1 });
 * const { average } = await reduce(shots, { average: byClass(mean(), [...classes.keys()], classOf(classes)) });
 */
export function lightDarkClasses<T extends TagList>(tags: T, light: IsLight | LightSignal): ReadonlyMap<string, T> {
  const isLight = typeof light === "function" ? light : fromSignal(light, tags.length);
  const byNumber: number[][] = [];
  let since = 0;
  tags.values.forEach((tag, i) => {
    const state = isLight(tag, i);
    if (state === true) since = 0;
    else if (state === null || since < 0) since = -1;
    else since++;
    if (since >= 0) {
      byNumber[since] ??= [];
      byNumber[since]?.push(tag);
    }
  });
  const none = tags.slice(0, 0);
  const classes = new Map<string, T>();
  // Not by asking all tags for each class: a pump that never came makes as many classes as shots.
  for (const [n, found] of byNumber.entries())
    if (found !== undefined) classes.set(n === 0 ? "light" : `dark${n}`, none.union(new TagList(tags.hightag, found)));
  return classes;
}

function fromSignal(signal: LightSignal, length: number): IsLight {
  resolveOptions("light", signal, { values: any, above: any, below: any });
  const { values, above, below } = signal;
  if (values.length !== length)
    throw badArgument("light.values", `${values.length} values`, `one for each of the ${length} tags`);
  if ((above === undefined) === (below === undefined))
    throw badArgument("light", { above, below }, "given above or below, one of them");
  const limit = asFinite(above === undefined ? "light.below" : "light.above", above ?? below);
  return (_, i) => {
    const value = values[i] ?? NaN;
    return above === undefined ? value < limit : value > limit;
  };
}

/**
 * The class of a tag, from tags by class: what {@link byClass} takes.
 * @throws BAD_ARGUMENT when a tag is in two classes
 * @example
 * byClass(mean(), ["on", "off"], classOf(new Map([["on", labels.on], ["off", labels.off]])));
 */
export function classOf(classes: ReadonlyMap<string, Iterable<number>>): (tag: number) => string | null {
  const found = new Map<number, string>();
  for (const [name, tags] of classes) {
    for (const tag of tags) {
      const other = found.get(tag);
      if (other !== undefined && other !== name)
        throw badArgument(`tag ${tag}`, `in ${other} and ${name}`, "in one class");
      found.set(tag, name);
    }
  }
  return (tag) => found.get(tag) ?? null;
}
