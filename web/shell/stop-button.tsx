import { useCallback, useEffect, useState } from "react";
import { textOf } from "../server/use-poll.ts";
import { stopAxes } from "../steer/stop.ts";

/** Always in sight. Works without the lease; a key that only reads cannot use it. */
export function StopButton({ bl, axes, why }: { bl: number; axes: readonly string[]; why: string | null }) {
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly isBad: boolean } | null>(null);
  const stop = useCallback(() => {
    if (why !== null) return;
    setOutcome({ text: "stopping…", isBad: false });
    stopAxes(bl, axes).then(
      ({ ms, failed }) =>
        setOutcome(
          failed.length === 0
            ? { text: `stopped ${axes.length} axes in ${ms.toFixed(0)} ms`, isBad: false }
            : { text: `NOT stopped: ${failed.join("; ")}`, isBad: true },
        ),
      (error: unknown) => setOutcome({ text: `NOT stopped: ${textOf(error)}`, isBad: true }),
    );
  }, [bl, axes, why]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && event.shiftKey) stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [stop]);
  return (
    <div className="stop">
      <button
        type="button"
        className="stop-button"
        onClick={stop}
        disabled={why !== null}
        title={why ?? `Stops all axes of beamline ${bl} and aborts a scan; needs no lease (Shift+Esc)`}
      >
        STOP
      </button>
      <output className={outcome?.isBad === true ? "bad" : ""}>{outcome?.text ?? why ?? ""}</output>
    </div>
  );
}
