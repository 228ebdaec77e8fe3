import { memo, useEffect, useMemo, useState } from "react";
import { Detectors, listDetectors } from "../../src/core/detectors.ts";
import { liveMeans } from "../../src/core/live-means.ts";
import type { Roi } from "../../src/core/roi.ts";
import { counted } from "../../src/core/show.ts";
import { Curve } from "../plots/later.tsx";
import { PictureExport } from "../runs/picture-export.tsx";
import { ask } from "../server/connection.ts";
import { healthNow } from "../server/health.ts";
import { usePlace } from "../server/location.ts";
import { nextDrawn, usePoll } from "../server/use-poll.ts";
import { QUIET_SECONDS } from "../shell/health-bar.tsx";
import type { PanelProps } from "../shell/page.tsx";
import { meanOf, profileOf, shotNames, unitNames, useLook } from "./look.ts";
import { Choice, Field, LookControls } from "./look-controls.tsx";
import { japanClock, PictureView, pictureSide } from "./picture-view.tsx";
import { SignalPlots } from "./signal-plots.tsx";
import { type LiveFrame, useLive } from "./use-live.ts";

/** What is drawn beside the first picture waits for it so long at most: each plot takes as much time as the picture. */
const LATE_MS = 1000;

/** Detectors come and go with the runs: how often they are asked for. */
const DETECTORS_MS = 3000;

/** What the beam does now. */
export function LivePanel({ bl, methods }: PanelProps) {
  const isLive = methods.includes("live.shots");
  const detectors = usePoll(
    isLive ? async (signal) => await ask("live.readDetidlist", { bl }, signal) : null,
    DETECTORS_MS,
    `live detectors ${bl}`,
  );
  if (!isLive)
    return (
      <p role="status">
        This source has no live shots. <a href="#/runs">Look at its runs.</a>
      </p>
    );
  if (detectors.value === undefined) return <p role="status">{detectors.error ?? "asking for the detectors…"}</p>;
  return <LiveView key={bl} bl={bl} ids={detectors.value} />;
}

function LiveView({ bl, ids }: { bl: number; ids: readonly string[] }) {
  const { params } = usePlace();
  const look = useLook();
  const live = listDetectors(ids);
  // A detector that is live no longer stays where it is, grey, until it comes again or another one is chosen.
  const [known, setKnown] = useState<readonly string[]>(live);
  const choices = [...known, ...live.filter((id) => !known.includes(id))];
  if (choices.length > known.length) setKnown(choices);
  const [usual, setUsual] = useState("");
  if (usual === "" && ids.length > 0) setUsual(new Detectors(ids, "The beamline").largest().id);
  const named = params.get("det") ?? "";
  const detId = choices.includes(named) ? named : usual;
  const gone = Object.fromEntries(choices.filter((id) => !live.includes(id)).map((id) => [id, `${id} (not live)`]));
  const [region, setRegion] = useState<Roi | null>(null);
  const profile = profileOf(look);
  const frame = useLive(
    detId === "" ? null : { bl, detId, dark: look.dark, mean: meanOf(look), what: look.what, hits: look.hits },
    {
      region,
      side: pictureSide,
      rois: look.rois,
      profile,
    },
  );
  const quiet = useQuiet();
  const isLate = useLater(LATE_MS);
  const isDrawn = useDrawn(frame !== undefined);
  return (
    <div className="live">
      <div className="live-picture">
        <LookControls look={look}>
          <Choice name="detector" value={detId} choices={choices} names={gone} param="det" />
          <Choice name="shots" value={look.what} choices={liveMeans} names={shotNames} param="shots" />
          <Field name="mean of shots" value={look.mean} param="mean" title="The newest so many; 1: each shot" />
          <Field
            name="hit: ADU"
            value={look.hits?.threshold ?? null}
            param="hit"
            title="A shot with pixels at or above it is a hit; empty: hits are not counted"
          />
          {look.hits === null ? null : <Field name="pixels" value={look.hits.minPixels} param="pixels" />}
        </LookControls>
        {gone[detId] === undefined ? null : (
          <p role="status" className="bad">
            {detId} is no longer live on beamline {bl}.
          </p>
        )}
        {named === "" || named === detId ? null : (
          <p role="status" className="bad">
            {named} is not live on beamline {bl}; this is {detId}.
          </p>
        )}
        {frame === undefined ? (
          <p role="status">{detId === "" ? "no detector is live" : `waiting for the first picture… ${quiet ?? ""}`}</p>
        ) : (
          <>
            <PictureView frame={frame} look={look} shot={null} quiet={quiet} onRegion={setRegion} />
            <PictureExport frame={frame} look={look} shot={null} region={region} />
          </>
        )}
      </div>
      <div className="live-plots">
        {isDrawn || isLate ? <SignalPlots bl={bl} /> : null}
        {frame === undefined || !isDrawn ? null : (
          <div className={quiet === null ? undefined : "quiet"}>
            <FrameCurves frame={frame} />
          </div>
        )}
      </div>
    </div>
  );
}

/** What was computed of the images; drawn again only when it was computed again. */
export const FrameCurves = memo(FrameCurvesNow, (before, { frame: { numbers } }) => {
  const { numbers: old } = before.frame;
  return old?.tag === numbers?.tag && old?.profile?.unit === numbers?.profile?.unit;
});

function FrameCurvesNow({ frame: { numbers, hits } }: { frame: Pick<LiveFrame, "numbers" | "hits"> }) {
  const found = useMemo(() => (numbers === null ? null : filled(numbers.histogram)), [numbers]);
  const profile = numbers?.profile ?? null;
  return (
    <>
      {found === null ? null : (
        <Curve title="Histogram of all pixels" x={found.x} y={found.y} xLabel="ADU" yLabel="pixels" isLog />
      )}
      {profile === null ? null : (
        <Curve
          title="Radial profile"
          x={profile.radial}
          y={profile.mean}
          xLabel={unitNames[profile.unit] ?? profile.unit}
          yLabel="mean / ADU"
        />
      )}
      {hits === null ? null : <HitRate hits={hits} />}
    </>
  );
}

/** Hits per shot over the last minutes. */
function HitRate({ hits }: { hits: NonNullable<LiveFrame["hits"]> }) {
  const newest = hits.times.at(-1) ?? 0;
  return (
    <Curve
      title={`Hit rate: ${counted(hits.hits, "hit")} in ${counted(hits.shots, "shot")}`}
      x={hits.times.map((time) => time - newest)}
      y={hits.rate}
      error={hits.error}
      xLabel="s before the last 10 s"
      yLabel="hits / shot"
    />
  );
}

/** The part of a histogram that has counts. */
function filled({ from, binWidth, counts }: NonNullable<LiveFrame["numbers"]>["histogram"]): {
  x: Float64Array;
  y: Float64Array;
} {
  const first = Math.max(0, counts.findIndex((count) => count > 0) - 2);
  const last = Math.min(counts.length, counts.findLastIndex((count) => count > 0) + 3);
  const y = counts.slice(first, last);
  return { x: y.map((_, i) => from + (first + i) * binWidth), y: y.map((count) => (count === 0 ? Number.NaN : count)) };
}

/** True when so long has gone by. */
function useLater(ms: number): boolean {
  const [isLater, setLater] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLater(true), ms);
    return () => clearTimeout(timer);
  }, [ms]);
  return isLater;
}

/** True when what is there has been drawn for the first time. */
function useDrawn(isThere: boolean): boolean {
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => {
    if (isThere) void nextDrawn().then(() => setDrawn(true));
  }, [isThere]);
  return isDrawn;
}

/** Why the picture is no longer what happens now. It draws again only when that changes: the picture is costly. */
function useQuiet(): string | null {
  const [quiet, setQuiet] = useState(quietNow);
  useEffect(() => {
    const timer = setInterval(() => setQuiet(quietNow()), 500);
    return () => clearInterval(timer);
  }, []);
  return quiet;
}

function quietNow(): string | null {
  const { shownAt, shotTime, error, quiet } = healthNow();
  const why = error ?? quiet;
  if (shownAt === null) return why;
  const age = (Date.now() - shownAt) / 1000;
  if (age < QUIET_SECONDS) return null;
  const since = japanClock(shotTime ?? shownAt / 1000);
  return `no data since ${since} JST: no shot for ${age.toFixed(0)} s${why === null ? "" : `: ${why}`}`;
}
