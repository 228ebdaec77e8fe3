import { memo, useEffect, useRef, useState } from "react";
import { prefixedUnit, quantity } from "../../src/core/quantities.ts";
import type { CallResult } from "../../src/transport/methods.ts";
import { Curve } from "../plots/later.tsx";
import { SignalPicker } from "../plots/signal-picker.tsx";
import { ask } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { textOf, untilSeen } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

const EVERY_MS = 1000;
/** Shots that are drawn. */
const DRAWN = 1800;

type Summary = CallResult<"page.signals">["columns"][number]["summary"];

interface Series {
  readonly seq: number | null;
  readonly tags: Float64Array;
  readonly times: Float64Array;
  readonly columns: readonly {
    readonly equipId: string;
    readonly unit: string;
    readonly values: Float64Array;
    readonly summary: Summary;
  }[];
}

const nothing: Series = { seq: null, tags: new Float64Array(0), times: new Float64Array(0), columns: [] };

/** 0-D signals of the last shots, one plot for each. */
export const SignalPlots = memo(function SignalPlots({ bl }: { bl: number }) {
  const { params } = usePlace();
  const chosen = params.get("signals")?.split("~").filter(Boolean) ?? [`xfel_bl_${bl}_tc_bm_1_pd/charge`];
  const versus = params.get("versus") ?? "";
  const { series, error } = useSeries(bl, chosen, chosen.includes(versus) ? versus : null);
  const newest = (versus === "tag" ? series.tags : series.times).at(-1) ?? 0;
  const isHistogram = versus === "histogram";
  const columns = series.columns.map((column) => ({ ...column, shown: prefixed(column.values, column.unit) }));
  const against = columns.find(({ equipId }) => equipId === versus);
  return (
    <>
      <SignalPicker chosen={chosen} onChange={(ids) => go({ signals: ids.length === 0 ? null : ids.join("~") })} />
      <label className="controls">
        against{" "}
        <select value={versus} onChange={(event) => go({ versus: event.target.value || null })}>
          <option value="">time</option>
          <option value="tag">tag</option>
          <option value="histogram">histogram</option>
          {chosen.map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </label>
      <Failure text={error} />
      {columns
        .filter(({ equipId }) => equipId !== versus)
        .map(({ equipId, unit, shown, summary }) => (
          <Curve
            key={equipId}
            title={`${equipId}: ${summaryText(summary, unit)}`}
            x={against?.shown.values ?? (versus === "tag" ? series.tags : series.times).map((at) => at - newest)}
            y={shown.values}
            xLabel={
              against === undefined
                ? versus === "tag"
                  ? `tag − ${newest}`
                  : "s before the newest shot"
                : `${against.equipId} / ${against.shown.unit}`
            }
            yLabel={shown.unit === "" ? "value" : shown.unit}
            isPoints
            {...(isHistogram
              ? histogramOf(summary, unit)
              : against === undefined
                ? {}
                : sorted(against.shown.values, shown.values))}
          />
        ))}
    </>
  );
});

/** What the server has computed of the shots it keeps. */
function summaryText({ mean, standardDeviation, complete, correlation }: Summary, unit: string): string {
  const of = (value: number | null): string => (value === null ? "–" : quantity(value, unit));
  const parts = [`mean ${of(mean)}`, `scatter ${of(standardDeviation)}`];
  if (complete !== null) parts.push(`${(100 * complete).toFixed(1)} % of shots complete`);
  if (correlation !== null) parts.push(`r ${correlation.r.toFixed(3)} ± ${correlation.error.toFixed(3)}`);
  return parts.join(", ");
}

/** Values with the SI prefix that suits them. */
function prefixed(values: Float64Array, unit: string): { readonly values: Float64Array; readonly unit: string } {
  let largest = 0;
  for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  const { unit: shown, factor } = prefixedUnit(unit, largest);
  return { values: factor === 1 ? values : values.map((value) => factor * value), unit: shown };
}

/** Points in the order of their x: an axis that begins with its end is drawn from right to left. */
function sorted(x: Float64Array, y: Float64Array): { x: Float64Array; y: Float64Array } {
  const order = [...x.keys()]
    .filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]))
    .sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const pick = (from: Float64Array): Float64Array => Float64Array.from(order, (i) => from[i] ?? Number.NaN);
  return { x: pick(x), y: pick(y) };
}

/** How often each value was: of the shots that the server keeps. */
function histogramOf({ histogram }: Summary, unit: string) {
  if (histogram === null) return {};
  const { from, binWidth, counts } = histogram;
  const centres = counts.map((_, i) => from + i * binWidth);
  const { values, unit: shown } = prefixed(centres, unit);
  return {
    x: values,
    y: counts,
    xLabel: shown === "" ? "value" : shown,
    yLabel: "shots",
    isPoints: false,
    isSteps: true,
  };
}

function useSeries(
  bl: number,
  signals: readonly string[],
  against: string | null,
): { series: Series; error: string | null } {
  const [state, setState] = useState<{ series: Series; error: string | null }>({ series: nothing, error: null });
  const key = JSON.stringify([bl, signals, against]);
  const series = useRef<Series>(nothing);
  useEffect(() => {
    const [of, ids, other] = JSON.parse(key) as [number, string[], string | null];
    series.current = nothing;
    setState({ series: nothing, error: null });
    if (ids.length === 0) return;
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const answer = await ask(
            "page.signals",
            { bl: of, signals: ids, after: series.current.seq, against: other },
            stop.signal,
          );
          series.current = joined(series.current, answer);
          setState({ series: series.current, error: answer.error });
        } catch (error) {
          if (stop.signal.aborted) return;
          setState({ series: series.current, error: textOf(error) });
        }
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
        await untilSeen();
      }
    };
    void loop();
    return () => stop.abort("no longer wanted");
  }, [key]);
  return state;
}

function joined(before: Series, answer: CallResult<"page.signals">): Series {
  const more = (old: Float64Array | undefined, added: ArrayLike<number>): Float64Array => {
    const all = new Float64Array((old?.length ?? 0) + added.length);
    all.set(old ?? []);
    all.set(added, old?.length ?? 0);
    return all.slice(-DRAWN);
  };
  // A server that was started anew counts from the beginning.
  const old = answer.seq < (before.seq ?? 0) ? nothing : before;
  return {
    seq: answer.seq,
    tags: more(old.tags, answer.tags),
    times: more(old.times, answer.times),
    columns: answer.columns.map(({ equipId, unit, values, summary }) => {
      const known = old.columns.find((column) => column.equipId === equipId);
      return { equipId, unit: unit === "" ? (known?.unit ?? "") : unit, values: more(known?.values, values), summary };
    }),
  };
}
