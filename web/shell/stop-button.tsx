import { useCallback, useEffect, useState } from "react";
import { textOf } from "../server/use-poll.ts";
import { stopAxes } from "../steer/stop.ts";

/** Always in sight. Works without the lease; a key that only reads cannot use it. */
export function StopButton({ bl, axes, why }: { bl: number; axes: number; why: string | null }) {
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly isBad: boolean } | null>(null);
  const stop = useCallback(() => {
    if (why !== null) return;
    stopAxes(bl).then(
      (ms) => setOutcome({ text: `stopped ${axes} axes in ${ms.toFixed(0)} ms`, isBad: false }),
      (error: unknown) => setOutcome({ text: `NOT stopped: ${textOf(error)}`, isBad: true }),
    );
    setOutcome({ text: "stopping…", isBad: false });
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
        // When it is pressed, not when it is let go; a click without that comes from the keyboard.
        onPointerDown={(event) => {
          if (event.button === 0) stop();
        }}
        onClick={(event) => {
          if (event.detail === 0) stop();
        }}
        disabled={why !== null}
        title={why ?? `Stops all axes of beamline ${bl} and aborts a scan; needs no lease (Shift+Esc)`}
      >
        STOP
      </button>
      <output className={outcome?.isBad === true ? "bad" : ""}>{outcome?.text ?? why ?? ""}</output>
    </div>
  );
}
