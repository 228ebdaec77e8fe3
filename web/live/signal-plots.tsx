import { memo, useEffect, useRef, useState } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import { Curve } from "../plots/curve.tsx";
import { SignalPicker } from "../plots/signal-picker.tsx";
import { ask } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { textOf, untilSeen } from "../server/use-poll.ts";

const EVERY_MS = 500;
/** Shots that are drawn. */
const DRAWN = 1800;

interface Series {
  readonly seq: number | null;
  readonly tags: Float64Array;
  readonly times: Float64Array;
  readonly columns: readonly { readonly equipId: string; readonly unit: string; readonly values: Float64Array }[];
}

const nothing: Series = { seq: null, tags: new Float64Array(0), times: new Float64Array(0), columns: [] };

/** 0-D signals of the last shots, one plot for each. */
export const SignalPlots = memo(function SignalPlots({ bl }: { bl: number }) {
  const { params } = usePlace();
  const chosen = params.get("signals")?.split("~").filter(Boolean) ?? [`xfel_bl_${bl}_tc_bm_1_pd/charge`];
  const { series, error } = useSeries(bl, chosen);
  const versus = params.get("versus") ?? "";
  const newest = series.times.at(-1) ?? 0;
  const against = series.columns.find(({ equipId }) => equipId === versus);
  return (
    <>
      <SignalPicker chosen={chosen} onChange={(ids) => go({ signals: ids.length === 0 ? null : ids.join("~") })} />
      <label>
        against{" "}
        <select value={versus} onChange={(event) => go({ versus: event.target.value || null })}>
          <option value="">time</option>
          <option value="tag">tag</option>
          {chosen.map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </label>
      {error === null ? null : (
        <p role="alert" className="bad">
          {error}
        </p>
      )}
      {series.columns
        .filter(({ equipId }) => equipId !== versus)
        .map(({ equipId, unit, values }) => (
          <Curve
            key={equipId}
            title={equipId}
            x={against?.values ?? (versus === "tag" ? series.tags : series.times.map((time) => time - newest))}
            y={values}
            xLabel={
              against === undefined ? versus || "s before the newest shot" : `${against.equipId} / ${against.unit}`
            }
            yLabel={unit === "" ? "value" : unit}
            isPoints
          />
        ))}
    </>
  );
});

function useSeries(bl: number, signals: readonly string[]): { series: Series; error: string | null } {
  const [state, setState] = useState<{ series: Series; error: string | null }>({ series: nothing, error: null });
  const key = JSON.stringify([bl, signals]);
  const series = useRef<Series>(nothing);
  useEffect(() => {
    const [of, ids] = JSON.parse(key) as [number, string[]];
    series.current = nothing;
    setState({ series: nothing, error: null });
    if (ids.length === 0) return;
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const answer = await ask("page.signals", { bl: of, signals: ids, after: series.current.seq }, stop.signal);
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
    columns: answer.columns.map(({ equipId, unit, values }) => {
      const known = old.columns.find((column) => column.equipId === equipId);
      return { equipId, unit: unit === "" ? (known?.unit ?? "") : unit, values: more(known?.values, values) };
    }),
  };
}
