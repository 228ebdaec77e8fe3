import { useState } from "react";
import type { CallParams } from "../../src/transport/methods.ts";
import type { PageScanSettings } from "../../src/transport/scan-methods.ts";
import { ask, change } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { textOf, usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import type { SteerProps } from "../steer/axes-table.tsx";
import { releaseLease, useHeld } from "../steer/held.ts";
import { PlanForm } from "./plan-form.tsx";
import { ScanForm } from "./scan-form.tsx";
import { ScanProgress } from "./scan-progress.tsx";

const EVERY_MS = 500;

/** A scan: set up and looked at first, started, watched, its peak fitted. It runs on the server. */
export function ScanBox({ canControl, ...props }: SteerProps & { readonly canControl: boolean }) {
  const { bl } = props;
  const isPlan = usePlace().params.get("what") === "plan";
  const { control } = useHeld();
  const [error, setError] = useState<string | null>(null);
  const state = usePoll(async (signal) => await ask("page.scan", { bl }, signal), EVERY_MS, `scan ${bl}`);
  const scan = state.value?.scan ?? null;
  const isOn = scan !== null && scan.ended === null;
  const run = (work: () => Promise<unknown>): void => {
    setError(null);
    work()
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(() => state.refresh());
  };
  const start = (settings: PageScanSettings, name: string, reason: string): void =>
    run(async () => {
      // The scan takes a lease of its own.
      await releaseLease();
      await change("page.startScan", { bl, name, reason, settings });
    });
  const tell = (what: CallParams<"page.doScan">["what"]): void =>
    run(async () => await change("page.doScan", { bl, what }));
  return (
    <section aria-label="scan">
      <h2>Scan</h2>
      <Failure text={error} />
      {isOn ? null : (
        <>
          <fieldset className="row" aria-label="what to run">
            {(["one axis", "a plan from a file"] as const).map((kind) => (
              <button
                key={kind}
                type="button"
                aria-pressed={isPlan === (kind !== "one axis")}
                onClick={() => go({ what: kind === "one axis" ? null : "plan" })}
              >
                {kind}
              </button>
            ))}
          </fieldset>
          {isPlan ? (
            <PlanForm bl={bl} isHeld={control !== null} canControl={canControl} onStart={start} />
          ) : (
            <ScanForm {...props} isHeld={control !== null} onStart={start} />
          )}
        </>
      )}
      {scan === null ? (
        <p role="status">{state.error ?? "no scan yet"}</p>
      ) : (
        <ScanProgress {...props} scan={scan} now={state.value?.now ?? scan.began} canControl={canControl} onDo={tell} />
      )}
    </section>
  );
}
