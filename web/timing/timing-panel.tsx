import { useMemo } from "react";
import { quantity } from "../../src/core/quantities.ts";
import { counted } from "../../src/core/show.ts";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { numberOf } from "../live/look.ts";
import { Choice, Field } from "../live/look-controls.tsx";
import { Curve } from "../plots/later.tsx";
import { ask } from "../server/connection.ts";
import { go, usePlace } from "../server/location.ts";
import { useAsked, usePoll } from "../server/use-poll.ts";
import { Failure, Pending } from "../shell/failure.tsx";
import type { PanelProps } from "../shell/page.tsx";

const EVERY_MS = 1000;

type Asked = CallParams<"page.timing">;
type Edges = CallResult<"page.timing">;

const fromNames: Readonly<Record<string, string>> = {
  images: "found on the images",
  source: "of the source",
  database: "of the user database (sacla tma)",
};

/** How early or late the X-rays came: timing edges of a run or of live shots, over the tag and as a histogram. */
export function TimingPanel({ bl, methods }: PanelProps) {
  const { params } = usePlace();
  const isLive = methods.includes("live.shots");
  const given = numberOf(params.get("run"));
  const newest = useAsked(
    given === null && !isLive ? async (signal) => await ask("db.readRunnumberNewest", { bl }, signal) : null,
    `newest ${bl} ${isLive}`,
  );
  const run = given ?? newest.value ?? null;
  const choices = useAsked(
    run === null && !isLive ? null : async (signal) => await ask("page.timingChoices", { bl, run }, signal),
    `timing ${bl} ${run}`,
  );
  if (choices.value === undefined)
    return <Pending error={choices.error ?? newest.error} text="asking for the timing monitor…" />;
  return <TimingOf key={`${bl} ${run}`} bl={bl} run={run} choices={choices.value} methods={methods} isLive={isLive} />;
}

function TimingOf({
  bl,
  run,
  choices,
  methods,
  isLive,
}: Pick<PanelProps, "bl" | "methods"> & {
  readonly run: number | null;
  readonly choices: CallResult<"page.timingChoices">;
  readonly isLive: boolean;
}) {
  const asked = useTimingLook(bl, run, choices, methods);
  const edges = usePoll(
    asked === null ? null : async (signal) => await ask("page.timing", asked, signal),
    EVERY_MS,
    JSON.stringify(asked),
  );
  const { params } = usePlace();
  return (
    <>
      <h2>Arrival timing: {run === null ? "live" : `run ${run}`}</h2>
      <form className="controls" onSubmit={(event) => event.preventDefault()}>
        <Field
          name="run"
          value={numberOf(params.get("run"))}
          param="run"
          title={isLive ? "Empty: live shots" : "Empty: the newest run"}
        />
        {asked === null ? null : <EdgeControls asked={asked} choices={choices} methods={methods} />}
      </form>
      {asked === null ? (
        <p role="status">
          {run === null ? "No camera of a timing monitor is live" : "This run has no camera of a timing monitor"}{" "}
          (OPAL…), and there are no edges: sacla tma create makes a user database.
        </p>
      ) : (
        <Found edges={edges.value} error={edges.error} />
      )}
    </>
  );
}

function EdgeControls({
  asked,
  choices,
  methods,
}: {
  readonly asked: Asked;
  readonly choices: CallResult<"page.timingChoices">;
  readonly methods: readonly string[];
}) {
  const ids = choices.tma.map(({ id }) => String(id));
  return (
    <>
      <Choice name="edges" value={asked.from} choices={fromsOf(choices, methods)} names={fromNames} param="edges" />
      {asked.from === "source" || ids.length === 0 ? null : (
        <Choice
          name="TMA id"
          value={String(asked.tmaId ?? "")}
          choices={asked.from === "images" ? ["", ...ids] : ids}
          names={{
            "": "none: learn from these shots",
            ...Object.fromEntries(choices.tma.map((one) => [one.id, tmaText(one)])),
          }}
          param="tma"
        />
      )}
      {asked.from === "images" && choices.cameras.length > 1 ? (
        <Choice name="camera" value={asked.camera ?? ""} choices={choices.cameras} param="camera" />
      ) : null}
      <Choice name="by" value={asked.by} choices={["fit", "derivative"]} param="by" />
      <Field name="fs / pixel" value={asked.fsPerPixel} param="scale" title="From sacla tma scale" />
      {asked.fsPerPixel === null ? null : <Field name="pixel of time 0" value={asked.zeroPx} param="zero" />}
      <label>
        <input
          type="checkbox"
          checked={asked.flagged}
          onChange={(event) => go({ flagged: event.target.checked ? "on" : null })}
        />{" "}
        flagged edges, too
      </label>
    </>
  );
}

function Found({ edges, error }: { readonly edges: Edges | undefined; readonly error: string | undefined }) {
  if (edges === undefined) return <Pending error={error} text="looking for edges…" />;
  return (
    <>
      <Failure text={error ?? edges.error} />
      <p role="status" data-edges={edges.usable}>
        {summaryText(edges)}
      </p>
      <EdgePlots edges={edges} />
    </>
  );
}

function EdgePlots({ edges: { tags, edges, errors, unit, summary } }: { readonly edges: Edges }) {
  const newest = tags.at(-1) ?? 0;
  const shown = useMemo(() => {
    const there = [...edges.keys()].filter((i) => Number.isFinite(edges[i]));
    const pick = (from: ArrayLike<number>): Float64Array => Float64Array.from(there, (i) => from[i] ?? NaN);
    const error = pick(errors);
    return {
      x: pick(tags).map((tag) => tag - newest),
      y: pick(edges),
      ...(error.some(Number.isFinite) ? { error: error.map((one) => (Number.isFinite(one) ? one : 0)) } : {}),
    };
  }, [tags, edges, errors, newest]);
  const label = unit === "px" ? "edge / pixel" : "arrival / fs";
  const { histogram } = summary;
  return (
    <div className="timing">
      <Curve title="Edge of each shot" {...shown} xLabel={`tag − ${newest}`} yLabel={label} isPoints />
      <Curve
        title="Timing histogram"
        x={
          histogram === null
            ? new Float64Array(0)
            : histogram.counts.map((_, i) => histogram.from + i * histogram.binWidth)
        }
        y={histogram?.counts ?? new Float64Array(0)}
        xLabel={label}
        yLabel="shots"
        isSteps
      />
    </div>
  );
}

function summaryText({ tags, usable, unit, summary, flags, state, total }: Edges): string {
  const of = (value: number | null): string => (value === null ? "–" : quantity(value, unit));
  const counts = Object.entries(flags)
    .sort(([, a], [, b]) => b - a)
    .map(([flag, count]) => `${count} ${flag}`);
  return [
    `${total === null ? counted(tags.length, "shot") : `${tags.length} of ${counted(total, "shot")}`}, ${usable} with an edge that can be used`,
    `mean ${of(summary.mean)}, scatter ${of(summary.standardDeviation)}`,
    ...(counts.length === 0 ? [] : [`not used or flagged: ${counts.join(", ")}`]),
    ...(state === "" ? [] : [state]),
  ].join(" · ");
}

/** What is asked for, as the address says it; null: there are no edges to ask for. */
function useTimingLook(
  bl: number,
  run: number | null,
  choices: CallResult<"page.timingChoices">,
  methods: readonly string[],
): Asked | null {
  const { params } = usePlace();
  const froms = fromsOf(choices, methods);
  const wanted = params.get("edges") as Asked["from"];
  const from = froms.includes(wanted) ? wanted : froms[0];
  if (from === undefined) return null;
  const given = numberOf(params.get("tma"));
  const known = choices.tma.some(({ id }) => id === given) ? given : null;
  const named = params.get("camera") ?? "";
  return {
    bl,
    run,
    from,
    tmaId: from === "database" ? (known ?? choices.tma[0]?.id ?? null) : from === "images" ? known : null,
    camera: known !== null ? null : choices.cameras.includes(named) ? named : (choices.cameras[0] ?? null),
    by: params.get("by") === "derivative" ? "derivative" : "fit",
    flagged: params.get("flagged") === "on",
    fsPerPixel: numberOf(params.get("scale")),
    zeroPx: numberOf(params.get("zero")),
  };
}

function fromsOf({ cameras, tma }: CallResult<"page.timingChoices">, methods: readonly string[]): Asked["from"][] {
  return [
    ...(cameras.length > 0 ? (["images"] as const) : []),
    ...(methods.includes("db.readTimingEdges") ? (["source"] as const) : []),
    ...(tma.length > 0 ? (["database"] as const) : []),
  ];
}

function tmaText({ id, comment, shots }: CallResult<"page.timingChoices">["tma"][number]): string {
  return `${id}${comment === "" ? "" : `: ${comment}`}, ${counted(shots, "shot")}`;
}
