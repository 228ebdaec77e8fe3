import { useMemo } from "react";
import { prefixedUnit } from "../../src/core/quantities.ts";
import { counted } from "../../src/core/show.ts";
import { parseCondition } from "../../src/db/condition.ts";
import type { Run } from "../../src/db/run.ts";
import { signalMeaning } from "../../src/db/signal-meanings.ts";
import { BrushedCurve } from "../plots/later.tsx";
import { SignalPicker } from "../plots/signal-picker.tsx";
import { go, usePlace } from "../server/location.ts";
import { useAsked } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { ConditionForm } from "./condition-form.tsx";
import { ExportForm } from "./export-form.tsx";

/** Signals over a run, a plot for each; shots are selected by marking a range of values. */
export function RunSignals({ run }: { run: Run }) {
  const { params } = usePlace();
  const chosen = params.get("signals")?.split("~").filter(Boolean) ?? [`xfel_bl_${run.bl}_tc_bm_1_pd/charge`];
  const where = params.get("where")?.split("~").filter(Boolean) ?? [];
  const table = useAsked(
    chosen.length === 0 ? null : async (signal) => await run.table(chosen, undefined, { signal }),
    `table ${run.bl} ${run.number} ${chosen.join(" ")}`,
  );
  const selected = useAsked(
    async (signal) => {
      let tags = await run.tags({ signal });
      for (const text of where) {
        const { equipId, holds } = parseCondition(text);
        tags = await tags.where(equipId, holds, { signal });
      }
      return tags;
    },
    `where ${run.bl} ${run.number} ${where.join(" ")}`,
  );
  const first = table.value?.tags.at(0) ?? 0;
  const tags = table.value === undefined ? [] : Array.from(table.value.tags, (tag) => tag - first);
  return (
    <div className="live-plots">
      <SignalPicker chosen={chosen} onChange={(ids) => go({ signals: ids.length === 0 ? null : ids.join("~") })} />
      <Failure text={table.error} />
      {table.value?.columns.map((column) => (
        <SignalCurve
          key={column.equipId}
          {...column}
          x={tags}
          xLabel={`tag − ${first}`}
          onRange={(low, high) =>
            go({
              where: [
                ...where.filter((text) => parseCondition(text).equipId !== column.equipId),
                `${column.equipId} >= ${Number(low.toPrecision(6))}`,
                `${column.equipId} <= ${Number(high.toPrecision(6))}`,
              ].join("~"),
            })
          }
        />
      ))}
      <section aria-label="selected shots">
        <h2>Selected shots</h2>
        {where.length === 0 ? (
          <p>All. Shift+drag over a plot selects the shots with values in that range.</p>
        ) : (
          <ul className="conditions">
            {where.map((text) => (
              <li key={text}>
                <code>{text}</code>{" "}
                <button
                  type="button"
                  aria-label={`take ${text} away`}
                  onClick={() => go({ where: where.filter((other) => other !== text).join("~") || null })}
                >
                  ✕
                </button>
              </li>
            ))}
          </ul>
        )}
        <ConditionForm
          signal={chosen[0] ?? "signal"}
          onAdd={(text) => go({ where: [...where.filter((other) => other !== text), text].join("~") })}
        />
        <p role="status" data-selected>
          {selected.value === undefined ? (selected.error ?? "counting…") : counted(selected.value.length, "shot")}
        </p>
        {selected.value === undefined ? null : (
          <ExportForm run={run} signals={chosen} where={where} selected={selected.value} />
        )}
      </section>
    </div>
  );
}

/** One signal with its meaning, in a unit that suits its numbers. */
function SignalCurve({
  equipId,
  unit,
  values,
  x,
  xLabel,
  onRange,
}: {
  readonly equipId: string;
  readonly unit: string;
  readonly values: Float64Array;
  readonly x: readonly number[];
  readonly xLabel: string;
  readonly onRange: (low: number, high: number) => void;
}) {
  const { shown, factor, y } = useMemo(() => {
    let largest = 0;
    for (const value of values) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
    const prefixed = prefixedUnit(unit, largest);
    return { shown: prefixed.unit, factor: prefixed.factor, y: values.map((value) => value * prefixed.factor) };
  }, [unit, values]);
  const meaning = signalMeaning(equipId);
  return (
    <BrushedCurve
      title={meaning === "" ? equipId : `${equipId}: ${meaning}`}
      x={x}
      y={y}
      xLabel={xLabel}
      yLabel={shown === "" ? "value" : shown}
      onRange={(low, high) => onRange(low / factor, high / factor)}
    />
  );
}
