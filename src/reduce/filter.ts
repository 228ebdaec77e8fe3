import type { CallOptions } from "../core/async.ts";
import { asFinite, asText, badArgument } from "../core/guards.ts";
import { mergeLedgers, onlyDropped } from "../core/ledger.ts";
import { any, defined, resolveOptions } from "../core/options.ts";
import { STATUS_OK } from "../core/syncdb.ts";
import { type Run, RunTags, type SignalColumn } from "../db/index.ts";

/** What a 0-D signal must be for a shot to be read. A shot for which it has no number never passes. */
export interface Condition {
  /** Equipment id. */
  readonly equipId: string;
  /** Stands before the reason in the ledger: with `i0`, `i0-out-of-limits`. @default the equipment id */
  readonly name?: string | undefined;
  /** Least and greatest value, both included, in the unit of the signal. */
  readonly between?: readonly [low: number, high: number] | undefined;
  /** For flags: this very value. */
  readonly equals?: number | undefined;
  /** Any other condition. */
  readonly where?: ((value: number, tag: number) => boolean) | undefined;
}

/**
 * Chooses shots by their 0-D signals, before any image is read. The signals are read once, in blocks; a shot is dropped
 * by the first condition it fails.
 *
 * The ledger of the answer accounts for every shot: `<name>-out-of-limits` (between), `<name>-is-not-<value>` (equals),
 * `<name>-refused` (where), and `<name>-not-converged`, `-saturated`, `-missing` where there is no number. When the
 * tags given were chosen themselves and have a ledger, theirs is continued. Hand the answer to {@link reduce} as
 * `selection`, and what it dropped is in the ledger of the result.
 *
 * @param from - a run, for all its tags; or tags of a run
 * @throws UNKNOWN_SIGNAL when the source has no such signal
 * @throws BAD_ARGUMENT when a condition says nothing, or contradicts itself
 * @example
 * const tags = await filterShots(await run.exposedTags(), [{ name: "i0", equipId: bm1, between: [3e-9, 8e-9] }]);
 * const shots = st.shots({ run, detectors, tags });
 * const { average, ledger } = await reduce(shots, { average: mean() }, { selection: tags });
 */
export async function filterShots(
  from: Run | RunTags,
  conditions: readonly Condition[],
  options?: CallOptions,
): Promise<RunTags> {
  const tests = conditions.map(testOf);
  const tags = from instanceof RunTags ? from : await from.tags(options);
  const signals = [...new Set(conditions.map(({ equipId }) => equipId))];
  const table = signals.length === 0 ? undefined : await tags.run.table(signals, tags, options);
  const judges = conditions.map((condition, k) => judgeOf(table?.column(condition.equipId), tests[k]));
  const chosen = tags.select((tag, i) => {
    for (let k = 0; k < judges.length; k++) {
      const reason = judges[k]?.(i, tag) ?? null;
      if (reason !== null) return reason;
    }
    return null;
  });
  const { ledger, run } = chosen;
  if (tags.ledger === undefined || ledger === undefined) return chosen;
  const whole = mergeLedgers(onlyDropped(tags.ledger), ledger);
  return new RunTags(run, chosen, {
    ledger: whole,
    ...defined({ basis: tags.basis }),
  });
}

/** Why a shot does not pass, or null. */
function judgeOf(column: SignalColumn | undefined, test: Test | undefined): (i: number, tag: number) => string | null {
  if (column === undefined || test === undefined) return () => null;
  const { values, status } = column;
  const named = new Map<string, string>();
  // The same text for all: of a long run most shots may be dropped.
  const name = (reason: string): string => {
    const known = named.get(reason) ?? `${test.name}-${reason}`;
    named.set(reason, known);
    return known;
  };
  return (i, tag) => {
    const reason = status[i] === STATUS_OK ? test.judge(values[i] ?? NaN, tag) : column.reason(i);
    return reason === null ? null : name(reason);
  };
}

interface Test {
  readonly name: string;
  /** Why a value does not pass, or null. */
  readonly judge: (value: number, tag: number) => string | null;
}

function testOf(condition: Condition): Test {
  const {
    equipId,
    name = equipId,
    between,
    equals,
    where,
  } = resolveOptions("condition", condition, { equipId: any, name: any, between: any, equals: any, where: any });
  asText("equipId", equipId);
  const said = [between, equals, where].filter((part) => part !== undefined).length;
  if (said !== 1) throw badArgument(`the condition on ${equipId}`, condition, "one of between, equals and where");
  if (equals !== undefined) {
    asFinite(`equals of ${equipId}`, equals);
    const isOther = `is-not-${equals}`;
    return { name, judge: (value) => (value === equals ? null : isOther) };
  }
  if (where !== undefined) return { name, judge: (value, tag) => (where(value, tag) ? null : "refused") };
  const [low, high] = between ?? [NaN, NaN];
  if (!(low <= high)) throw badArgument(`between of ${equipId}`, between, "[low, high] with low ≤ high");
  // Written so that NaN is outside.
  return { name, judge: (value) => (value >= low && value <= high ? null : "out-of-limits") };
}
