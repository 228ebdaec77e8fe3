import { Failure } from "../shell/failure.tsx";
import { forgetError, useHeld } from "./held.ts";

/** What went wrong under the lease, or how it ended: in sight on each panel, however far it is scrolled. */
export function HeldAlert() {
  const { error } = useHeld();
  if (error === null) return null;
  return (
    <div className="held-alert row">
      <Failure text={error} />
      <button type="button" aria-label="put the message away" onClick={forgetError}>
        ✕
      </button>
    </div>
  );
}
