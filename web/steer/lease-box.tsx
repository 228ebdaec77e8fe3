import { type FormEvent, useState } from "react";
import type { Experiment } from "../../src/ec/experiment.ts";
import { releaseLease, takeLease, useHeld } from "./held.ts";

/** Takes the lease with a name and a reason, which others see, and gives it back. */
export function LeaseBox({
  bl,
  experiment,
  canControl,
}: {
  bl: number;
  experiment: Experiment | undefined;
  canControl: boolean;
}) {
  const { control } = useHeld();
  const [isAsking, setAsking] = useState(false);
  const take = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get("name") ?? "").trim();
    localStorage.setItem("sacla name", name);
    setAsking(true);
    void takeLease(bl, name, String(form.get("reason") ?? "").trim(), experiment).finally(() => setAsking(false));
  };
  return (
    <section aria-label="lease">
      <h2>Lease of beamline {bl}</h2>
      {control === null ? (
        <form className="row" onSubmit={take}>
          <label>
            your name{" "}
            <input name="name" required maxLength={60} defaultValue={localStorage.getItem("sacla name") ?? ""} />
          </label>
          <label>
            reason <input name="reason" required maxLength={200} placeholder="alignment" />
          </label>
          <button type="submit" disabled={!canControl || isAsking}>
            take control
          </button>
          {canControl ? null : <span>this key may only read</span>}
        </form>
      ) : (
        <p className="row">
          <span className="good">You hold the lease.</span>
          <button type="button" onClick={() => void releaseLease()}>
            give it back
          </button>
          <span>It ends 15 s after this window is closed; what still moves is then stopped.</span>
        </p>
      )}
    </section>
  );
}
