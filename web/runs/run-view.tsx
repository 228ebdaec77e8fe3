import { useState } from "react";
import { Detectors } from "../../src/core/detectors.ts";
import type { Roi } from "../../src/core/roi.ts";
import { runStatusWord } from "../../src/core/run-status.ts";
import { counted } from "../../src/core/show.ts";
import { plainTime } from "../../src/core/time-text.ts";
import type { Run } from "../../src/db/run.ts";
import { FrameCurves } from "../live/live-panel.tsx";
import { copyOf, profileOf, useLook } from "../live/look.ts";
import { Choice, LookControls } from "../live/look-controls.tsx";
import { PictureView, pictureSide } from "../live/picture-view.tsx";
import { ask, db } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { useAsked } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import type { PanelProps } from "../shell/page.tsx";
import { PictureExport } from "./picture-export.tsx";
import { RunReport } from "./run-report.tsx";
import { RunSignals } from "./run-signals.tsx";

/** One run: its pictures shot by shot, its signals, and what is written of it. */
export function RunView({ bl, number, methods }: Pick<PanelProps, "bl" | "methods"> & { readonly number: number }) {
  const found = useAsked(async (signal) => {
    const run = await db.run(bl, number);
    return { run, detectors: await run.detectors({ signal }), tags: [...(await run.tags({ signal }))] };
  }, `run ${bl} ${number}`);
  if (found.value === undefined) return <p role="status">{found.error ?? "asking for the run…"}</p>;
  const { run, detectors, tags } = found.value;
  return (
    <>
      <h2>
        Run {run.number}: {run.comment === "" ? "no comment" : run.comment}
      </h2>
      <p>
        {runStatusWord(run.status)} · {plainTime(run.startTime)} to {plainTime(run.stopTime)} JST ·{" "}
        {counted(tags.length, "shot")}
        {run.info.notes?.map((note) => (
          <span key={note} className="bad">
            {" "}
            · {note}
          </span>
        ))}
      </p>
      <div className="live">
        <ShotPicture
          run={run}
          ids={detectors.flatMap(({ id, sensors }) => [id, ...sensors])}
          tags={tags}
          hasReports={methods.includes("page.report")}
        />
        <RunSignals run={run} />
      </div>
    </>
  );
}

function ShotPicture({
  run,
  ids,
  tags,
  hasReports,
}: {
  readonly run: Run;
  readonly ids: readonly string[];
  readonly tags: readonly number[];
  readonly hasReports: boolean;
}) {
  const { params } = usePlace();
  const look = useLook();
  const choices = [...new Set(ids)];
  const named = params.get("det") ?? "";
  const largest = ids.length === 0 ? "" : new Detectors(ids, "The run").largest().id;
  const detId = choices.includes(named) ? named : largest;
  const wanted = Number(params.get("tag"));
  const tag = tags.includes(wanted) ? wanted : (tags.at(-1) ?? 0);
  const [region, setRegion] = useState<Roi | null>(null);
  const profile = profileOf(look);
  const asked = {
    bl: run.bl,
    detId,
    dark: look.dark,
    region: region === null ? null : copyOf(region),
    side: pictureSide(),
    rois: look.rois.map(copyOf),
    profile,
    run: run.number,
    tag,
  };
  const frame = useAsked(
    detId === "" || tags.length === 0 ? null : async (signal) => await ask("page.picture", asked, signal),
    JSON.stringify(asked),
  );
  const [before, setBefore] = useState(frame.value);
  if (frame.value !== undefined && frame.value !== before) setBefore(frame.value);
  const shown = frame.value ?? (before?.detId === detId ? before : undefined);
  return (
    <div className="live-picture">
      <LookControls look={look}>
        <Choice name="detector" value={detId} choices={choices} param="det" />
      </LookControls>
      <label className="shot">
        shot {tags.indexOf(tag) + 1} of {tags.length}{" "}
        <input
          type="range"
          min={0}
          max={Math.max(0, tags.length - 1)}
          value={tags.indexOf(tag)}
          onChange={(event) => go({ tag: String(tags[Number(event.target.value)] ?? "") })}
        />
      </label>
      <Failure text={frame.error} />
      {shown === undefined ? (
        <p role="status">
          {choices.length === 0 ? "this run has no detector" : frame.error === undefined ? "reading…" : ""}
        </p>
      ) : (
        <>
          <PictureView frame={shown} look={look} shot={{ run: run.number, tag }} quiet={null} onRegion={setRegion} />
          <PictureExport frame={shown} look={look} shot={{ run: run.number, tag }} region={region} />
          <FrameCurves frame={shown} />
        </>
      )}
      {hasReports && detId !== "" ? <RunReport bl={run.bl} run={run.number} detId={detId} /> : null}
    </div>
  );
}
