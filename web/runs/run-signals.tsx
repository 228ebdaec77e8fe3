import { parseCondition } from "../../src/db/condition.ts";
import type { Run } from "../../src/db/run.ts";
import { BrushedCurve } from "../plots/brushed-curve.tsx";
import { SignalPicker } from "../plots/signal-picker.tsx";
import { go, usePlace } from "../server/location.ts";
import { useAsked } from "../server/use-poll.ts";
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
      {table.error === undefined ? null : (
        <p role="alert" className="bad">
          {table.error}
        </p>
      )}
      {table.value?.columns.map(({ equipId, unit, values }) => (
        <BrushedCurve
          key={equipId}
          title={equipId}
          x={tags}
          y={values}
          xLabel={`tag − ${first}`}
          yLabel={unit === "" ? "value" : unit}
          onRange={(low, high) =>
            go({
              where: [
                ...where.filter((text) => parseCondition(text).equipId !== equipId),
                `${equipId} >= ${Number(low.toPrecision(6))}`,
                `${equipId} <= ${Number(high.toPrecision(6))}`,
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
        <p role="status" data-selected>
          {selected.value === undefined ? (selected.error ?? "counting…") : `${selected.value.length} shots`}
        </p>
        {selected.value === undefined ? null : (
          <ExportForm run={run} signals={chosen} where={where} selected={selected.value} />
        )}
      </section>
    </div>
  );
}
