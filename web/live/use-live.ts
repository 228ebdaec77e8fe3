import { useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Roi } from "../../src/core/roi.ts";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { ask } from "../server/connection.ts";
import { healthNow, tellClock, tellHealth, tellWatching } from "../server/health.ts";
import { nextDrawn, textOf, untilSeen } from "../server/use-poll.ts";
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
 * The newest picture, again and again: a slow screen or line skips pictures and never lags behind. The next is asked
 * for so that it comes when this one has been drawn.
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
    tellWatching(true);
    const times = { answerMs: 0, drawMs: 0 };
    let lookBefore = "";
    const next = async (after: number | null): Promise<CallResult<"page.live">> => {
      const began = performance.now();
      const look = lookOf(latest.current);
      // Another part or rectangle is seen at once, also when no newer shot comes.
      const known = JSON.stringify(look) === lookBefore ? after : null;
      lookBefore = JSON.stringify(look);
      const answer = await ask("page.live", { ...asked, ...look, after: known, waitMs: WAIT_MS }, stop.signal);
      tellClock(answer.now);
      if (answer.frame !== null) times.answerMs = performance.now() - began;
      return answer;
    };
    const begin = (after: number | null, inMs: number): ReturnType<typeof next> => {
      // Without a turn of the event loop, in which this picture would be drawn first.
      const asking = inMs > 0 ? sleep(inMs).then(async () => await next(after)) : next(after);
      // A failure is told when the answer is waited for.
      asking.catch(() => {});
      return asking;
    };
    const loop = async (): Promise<void> => {
      let after: number | null = null;
      let asking = begin(after, 0);
      while (!stop.signal.aborted) {
        try {
          const answer = await asking;
          tellHealth({ ...answer.counts, error: answer.error, quiet: answer.quiet });
          if (answer.frame !== null) {
            after = answer.frame.seq;
            const began = performance.now();
            asking = begin(after, times.drawMs - times.answerMs);
            const { frame } = answer;
            // At once: else the screen is first drawn without it, and then again.
            flushSync(() => setFrame(frame));
            await nextDrawn();
            times.drawMs = performance.now() - began;
            tellShown(answer.frame);
          } else asking = begin(after, 0);
        } catch (error) {
          if (stop.signal.aborted) return;
          tellHealth({ error: textOf(error) });
          after = null;
          asking = begin(after, AGAIN_MS);
        }
        await untilSeen();
      }
    };
    void loop();
    return () => {
      stop.abort("no longer wanted");
      tellWatching(false);
    };
  }, [key]);
  return frame;
}

function lookOf({ region, side, rois, profile }: View) {
  return { region: region === null ? null : copyOf(region), side: side(), rois: rois.map(copyOf), profile };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function tellShown(frame: LiveFrame): void {
  const offset = healthNow().clockOffset ?? 0;
  const apart = Math.abs(offset) < SAME_CLOCK_SECONDS ? 0 : offset;
  const shotToScreenMs = 1000 * (Date.now() / 1000 + apart - frame.cameAt) + (frame.latencyMs ?? 0);
  tellHealth({ shotToScreenMs, shownAt: Date.now() - shotToScreenMs, shotTime: frame.time });
  // For tests and benches, which ask the page how long it took.
  const { dataset } = document.documentElement;
  dataset["shotToScreen"] = shotToScreenMs.toFixed(1);
  dataset["drawn"] = String(Number(dataset["drawn"] ?? 0) + 1);
}
