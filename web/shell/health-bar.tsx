import { dequal } from "dequal";
import { memo, useEffect, useState } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import { saysSimulated } from "../../src/transport/simulated.ts";
import { useHealth } from "../server/health.ts";

/** After so long without a shot the picture is grey. */
export const QUIET_SECONDS = 2;

/** Latency, age, received and dropped, clock, who holds the lease, faults. The same answers again draw nothing again. */
export const HealthBar = memo(function HealthBar({
  holder,
  beam,
  source,
  fault,
}: {
  holder: CallResult<"lease.holder"> | undefined;
  beam: CallResult<"ec.beam"> | undefined;
  source: string;
  /** Why the server does not answer; null: it does. */
  fault: string | null;
}) {
  const { isWatching, shotToScreenMs, shownAt, clockOffset, isClockSure, used, dropped, error } = useHealth();
  useTick(500);
  const age = shownAt === null ? null : Math.max(0, (Date.now() - shownAt) / 1000);
  const lost = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
  return (
    <dl className="health">
      <Item name="source" text={saysSimulated(source) ? `SIMULATED: ${source}` : source} />
      {isWatching ? (
        <>
          <Item
            name="shot → screen"
            text={shotToScreenMs === null ? "–" : `${shotToScreenMs.toFixed(0)} ms`}
            isBad={(shotToScreenMs ?? 0) > 1000}
          />
          <Item
            name="age of the shot"
            text={age === null ? "no shot yet" : age < 10 ? `${age.toFixed(1)} s` : `${age.toFixed(0)} s`}
            isBad={age !== null && age > QUIET_SECONDS}
          />
          <Item name="shown" text={String(used)} title="shots whose images came" />
          <Item
            name="not shown"
            text={lost.length === 0 ? "0" : lost.join(", ")}
            title="skipped: the page shows the newest shots only; nothing is lost at the facility"
          />
        </>
      ) : null}
      {isClockSure && clockOffset !== null && Math.abs(clockOffset) > 0.5 ? (
        <Item name="clock of the server" text={`${clockOffset > 0 ? "+" : ""}${clockOffset.toFixed(1)} s`} isBad />
      ) : null}
      {beam === undefined ? null : <Item name="beam" text={beam.on ? "on" : beam.why} isBad={!beam.on} />}
      {holder === undefined ? null : (
        <Item
          name="lease"
          text={holder === null ? "free" : `${holder.name}: ${holder.reason}`}
          title={holder === null ? "Nobody controls the beamline" : `for ${(holder.sinceMs / 60_000).toFixed(0)} min`}
        />
      )}
      {(fault ?? error) === null ? null : <Item name="fault" text={fault ?? error ?? ""} isBad />}
    </dl>
  );
}, dequal);

function Item({ name, text, title, isBad }: { name: string; text: string; title?: string; isBad?: boolean }) {
  return (
    <div title={title} className={isBad === true ? "bad" : ""}>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** Draws again so often, for what changes with time alone; all at the same moments, so that the screen is drawn once. */
export function useTick(everyMs: number): void {
  const [count, tick] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => tick(count + 1), everyMs - (Date.now() % everyMs));
    return () => clearTimeout(timer);
  }, [everyMs, count]);
}
