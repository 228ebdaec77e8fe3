import type { CallOptions } from "../core/async.ts";
import { asFinite, asText, badArgument } from "../core/guards.ts";
import { mergeLedgers, onlyDropped, reasonsByTag } from "../core/ledger.ts";
import { any, defined, resolveOptions } from "../core/options.ts";
import { STATUS_OK } from "../core/syncdb.ts";
import { type Run, RunTags, type ShotLabels, type SignalColumn } from "../db/index.ts";

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
  const reasons: string[] = [];
  const failed = new Uint16Array(tags.length);
  for (const [k, test] of tests.entries()) {
    const column = table?.column(conditions[k]?.equipId ?? "");
    if (column !== undefined) judge(column, test, failed, reasons);
  }
  return continued(
    tags,
    tags.select((_, i) => reasons[(failed[i] ?? 0) - 1] ?? null),
  );
}

/** Tags chosen from others, with the account of both choices. */
export function continued(from: RunTags, chosen: RunTags): RunTags {
  const { ledger, run } = chosen;
  if (from.ledger === undefined || ledger === undefined) return chosen;
  const basis = chosen.basis ?? from.basis;
  return new RunTags(run, chosen, { ledger: mergeLedgers(onlyDropped(from.ledger), ledger), ...defined({ basis }) });
}

/**
 * The tags of both classes in the order of the run; the ledger has the label, or the reason for none, of all others.
 */
export function bothClasses(tags: RunTags, labels: ShotLabels): RunTags {
  const reasons = reasonsByTag(labels.dropped);
  const { laser } = labels.basis;
  return tags.select((tag) => {
    const label = labels.label(tag);
    return label === "on" || label === "off" ? null : (reasons.get(tag) ?? label);
  }, laser);
}

/** Notes of each shot that has not failed before why it does: one more than the place of the reason. */
function judge(column: SignalColumn, test: Test, failed: Uint16Array, reasons: string[]): void {
  const { values, status, tags } = column;
  let [last, code] = ["", 0];
  for (let i = 0; i < failed.length; i++) {
    if (failed[i] !== 0) continue;
    const isNumber = status[i] === STATUS_OK;
    const reason = isNumber ? test.judge(values[i] ?? NaN, tags.values[i] ?? NaN) : column.reason(i);
    if (reason === null) continue;
    if (reason !== last) {
      const name = `${test.name}-${reason}`;
      const known = reasons.indexOf(name);
      [last, code] = [reason, known < 0 ? reasons.push(name) : known + 1];
    }
    failed[i] = code;
  }
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
