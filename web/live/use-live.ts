import { useEffect, useRef, useState } from "react";
import type { Roi } from "../../src/core/roi.ts";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { ask } from "../server/connection.ts";
import { tellClock, tellHealth } from "../server/health.ts";
import { textOf, untilSeen } from "../server/use-poll.ts";
import { copyOf } from "./look.ts";

export type LiveFrame = NonNullable<CallResult<"page.live">["frame"]>;
export type Subject = Pick<CallParams<"page.live">, "bl" | "detId" | "dark" | "mean" | "what" | "hits">;
export interface View {
  readonly region: Roi | null;
  /** Most points across. */
  readonly side: () => number;
  readonly rois: readonly Roi[];
  readonly profile: CallParams<"page.live">["profile"];
}

/** How long the server waits for a newer picture: short, so that a STOP never waits for a free connection. */
const WAIT_MS = 100;
/** After a failure it is asked again. */
const AGAIN_MS = 1000;
/** Clocks that differ by less are taken for one. */
const SAME_CLOCK_SECONDS = 0.25;

/**
 * The newest picture, again and again: the next is asked for when this one has been drawn, so that a slow screen or
 * line skips pictures and never lags behind.
 */
export function useLive(subject: Subject | null, view: View): LiveFrame | undefined {
  const [frame, setFrame] = useState<LiveFrame | undefined>(undefined);
  const latest = useRef(view);
  latest.current = view;
  const key = JSON.stringify(subject);
  useEffect(() => {
    const asked = JSON.parse(key) as Subject | null;
    setFrame(undefined);
    if (asked === null) return;
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      let after: number | null = null;
      while (!stop.signal.aborted) {
        try {
          const { region, side, rois, profile } = latest.current;
          const look = {
            region: region === null ? null : copyOf(region),
            side: side(),
            rois: rois.map(copyOf),
            profile,
          };
          const answer: CallResult<"page.live"> = await ask(
            "page.live",
            { ...asked, ...look, after, waitMs: WAIT_MS } as CallParams<"page.live">,
            stop.signal,
          );
          tellClock(answer.now);
          tellHealth({ ...answer.counts, error: answer.error });
          if (answer.frame === null) continue;
          after = answer.frame.seq;
          setFrame(answer.frame);
          await nextDrawn();
          tellShown(answer);
        } catch (error) {
          if (stop.signal.aborted) return;
          tellHealth({ error: textOf(error) });
          after = null;
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
        await untilSeen();
      }
    };
    void loop();
    return () => stop.abort("no longer wanted");
  }, [key]);
  return frame;
}

/** Resolves when what has been given to the screen is drawn. */
async function nextDrawn(): Promise<void> {
  await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
}

function tellShown({ frame, now }: CallResult<"page.live">): void {
  if (frame === null) return;
  const offset = now - Date.now() / 1000;
  const apart = Math.abs(offset) < SAME_CLOCK_SECONDS ? 0 : offset;
  const here = 1000 * (Date.now() / 1000 + apart - frame.cameAt);
  const shotToScreenMs = here + (frame.latencyMs ?? 0);
  tellHealth({ shotToScreenMs, shownAt: Date.now() - shotToScreenMs, shotTime: frame.time });
  // For tests and benches, which ask the page how long it took.
  const { dataset } = document.documentElement;
  dataset["shotToScreen"] = shotToScreenMs.toFixed(1);
  dataset["drawn"] = String(Number(dataset["drawn"] ?? 0) + 1);
}
