import { useState } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import { endpoint } from "../server/connection.ts";
import { save } from "../server/save.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

/** Averaging a run of a large detector takes its time. */
const LONGEST_MS = 600_000;

/** One HTML file with the averages, histogram and shots of a run, and the equal command line. */
export function RunReport({ bl, run, detId }: { readonly bl: number; readonly run: number; readonly detId: string }) {
  const [limit, setLimit] = useState("100");
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState<Pick<CallResult<"page.report">, "name" | "command"> | null>(null);
  const [error, setError] = useState<string | null>(null);
  const most = Number(limit);
  const make = (): void => {
    setMaking(true);
    setError(null);
    endpoint
      .call("page.report", { bl, run, detId, limit: most }, { timeoutMs: LONGEST_MS })
      .then((file) => {
        save(file.name, file.bytes, "text/html");
        setMade(file);
      })
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(() => setMaking(false));
  };
  return (
    <section aria-label="report">
      <h2>Report</h2>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          make();
        }}
      >
        <label title="The first so many exposed shots, and dark ones">
          shots at most <input type="number" min="1" value={limit} onChange={(event) => setLimit(event.target.value)} />
        </label>
        <button type="submit" disabled={isMaking || !Number.isInteger(most) || most < 1}>
          {isMaking ? "averaging…" : `save the report of ${detId}`}
        </button>
      </form>
      <Failure text={error} />
      {made === null ? null : <pre data-command>{made.command}</pre>}
    </section>
  );
}
