import { type FormEvent, useState } from "react";
import { groupDetectors } from "../../src/core/detectors.ts";
import { counted } from "../../src/core/show.ts";
import { ask, db, ec } from "../server/connection.ts";
import { textOf, useAsked, usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { underLease, useHeld } from "./held.ts";

const EVERY_MS = 500;

/** Runs whose detectors can be chosen: only those of the run that is on are live. */
const LAST_RUNS = 5;

async function detectorsOf(bl: number, signal: AbortSignal): Promise<{ id: string; isLive: boolean }[]> {
  const live = groupDetectors(await ask("live.readDetidlist", { bl }, signal)).map(({ id }) => id);
  const runs = await ask("db.listRuns", { bl, last: LAST_RUNS }, signal);
  const before = await Promise.all(
    runs.map(async (number) =>
      (await (await db.run(bl, number, { signal })).detectors({ signal })).map(({ id }) => id),
    ),
  );
  return [...new Set([...live, ...before.flat()])].map((id) => ({ id, isLive: live.includes(id) }));
}

/** Starts, pauses and stops runs. Pausing needs no lease. */
export function RunBox({ bl }: { bl: number }) {
  const { control } = useHeld();
  const [error, setError] = useState<string | null>(null);
  const state = usePoll(async (signal) => await ask("ec.runState", { bl }, signal), EVERY_MS, `run ${bl}`);
  const detectors = useAsked(async (signal) => await detectorsOf(bl, signal), `detectors of runs ${bl}`);
  const now = state.value;
  const isOn = now !== undefined && now.state !== "ready" && now.state !== "fault";
  const start = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const request = {
      comment: String(form.get("comment") ?? ""),
      detectors: form.getAll("detector").map(String),
      shots: Number(form.get("shots") ?? 0),
    };
    void underLease(async (held) => await held.startRun(request));
  };
  return (
    <section aria-label="run control">
      <h2>Run</h2>
      <p role="status" data-run-state={now?.state}>
        {now === undefined ? (state.error ?? "…") : `run ${now.run}: ${now.state}, ${counted(now.shots, "shot")}`}
      </p>
      <div className="row">
        <button
          type="button"
          disabled={now?.state !== "running"}
          onClick={() => void ec.pauseRun(bl).catch((reason: unknown) => setError(textOf(reason)))}
        >
          pause
        </button>
        <button
          type="button"
          disabled={control === null || now?.state !== "paused"}
          onClick={() => void underLease(async (held) => await held.resumeRun())}
        >
          resume
        </button>
        <button
          type="button"
          disabled={control === null || !isOn}
          onClick={() => void underLease(async (held) => await held.stopRun())}
        >
          end the run
        </button>
      </div>
      <Failure text={error} />
      <form className="row" onSubmit={start}>
        <label>
          comment <input name="comment" maxLength={200} />
        </label>
        <label title="0: until it is ended">
          shots <input name="shots" type="number" min="0" defaultValue="0" />
        </label>
        {detectors.value?.map(({ id, isLive }) => (
          <label key={id}>
            <input type="checkbox" name="detector" value={id} defaultChecked={isLive} /> {id}
          </label>
        ))}
        <button type="submit" disabled={control === null || isOn}>
          start a run
        </button>
      </form>
    </section>
  );
}
