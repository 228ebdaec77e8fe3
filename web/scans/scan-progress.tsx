import { useMemo, useState } from "react";
import { pooledErrors } from "../../src/core/point-errors.ts";
import { quantityWithError } from "../../src/core/quantities.ts";
import type { CallParams } from "../../src/transport/methods.ts";
import type { PageScan } from "../../src/transport/scan-methods.ts";
import { Curve } from "../plots/later.tsx";
import { save } from "../server/save.ts";
import { Failure } from "../shell/failure.tsx";
import { underLease, useHeld } from "../steer/held.ts";
import { namesIn, scanCsv } from "./scan-csv.ts";

type What = CallParams<"page.doScan">["what"];

/** A scan that is on or was last: how far it is, its curve, and what was found in it. */
export function ScanProgress({
  scan,
  now,
  canControl,
  onDo,
}: {
  readonly scan: PageScan;
  readonly now: number;
  readonly canControl: boolean;
  readonly onDo: (what: What) => void;
}) {
  const isOn = scan.ended === null;
  const { points, total } = scan;
  const buttons: readonly (readonly [What, string, boolean])[] = [
    ["pause", "pause", scan.state === "running"],
    ["resume", "go on", scan.state === "paused" || scan.state === "pausing"],
    ["stop", "stop after this point", isOn],
    ["abort", "abort now", isOn],
  ];
  return (
    <div data-scan={scan.state}>
      <p role="status">
        <strong className={scan.state === "failed" ? "bad" : isOn ? "good" : ""}>{scan.state}</strong> ·{" "}
        {settingsText(scan)} · by {scan.by}: {scan.reason} · {timeText(scan, now)}
      </p>
      {total === null ? null : <progress value={points.length} max={total} aria-label="points done" />} {points.length}{" "}
      {total === null ? "points" : `of ${total} points`}
      {scan.isHeld ? (
        <p role="status" className="held">
          <strong>Held.</strong> {scan.notes.at(-1) ?? "It waits for the beam."}
        </p>
      ) : null}
      {isOn ? (
        <p>
          {scan.line}
          {scan.notes.length === 0 || scan.isHeld ? "" : ` · ${scan.notes.at(-1)}`}
        </p>
      ) : null}
      {isOn ? null : <p>{scan.notes.at(-1)}</p>}
      <Failure text={scan.error} />
      {isOn && canControl ? (
        <div className="row">
          {buttons.map(([what, text, isPossible]) => (
            <button key={what} type="button" disabled={!isPossible} onClick={() => onDo(what)}>
              {text}
            </button>
          ))}
        </div>
      ) : null}
      <ScanCurve scan={scan} />
      {points.length === 0 ? null : (
        <button type="button" onClick={() => save("scan.csv", scanCsv(scan), "text/csv")}>
          save CSV
        </button>
      )}
      {scan.journal === null || isOn || scan.state === "done" ? null : <pre>sacla resume {scan.journal}</pre>}
    </div>
  );
}

/** A signal against an axis, both of which are chosen where there are several. */
function ScanCurve({ scan }: { readonly scan: PageScan }) {
  const { points, units, answers } = scan;
  const axes = namesIn(points, ({ at }) => at);
  const signals = namesIn(points, ({ values }) => values);
  const [chosenAxis, setAxis] = useState("");
  const [chosenSignal, setSignal] = useState("");
  const axis = axes.includes(chosenAxis) ? chosenAxis : (answers[0]?.axis ?? mostMoved(points, axes));
  const signal = signals.includes(chosenSignal) ? chosenSignal : (signals[0] ?? "");
  const curve = useMemo(() => curveOf(points, axis, signal), [points, axis, signal]);
  if (signal === "" || axis === "") return null;
  const answer = answers.find((one) => one.signal === signal && one.axis === axis);
  return (
    <>
      <div className="row">
        {signals.length < 2 ? null : <Chosen name="signal" value={signal} choices={signals} onChange={setSignal} />}
        {axes.length < 2 ? null : <Chosen name="against" value={axis} choices={axes} onChange={setAxis} />}
      </div>
      <Curve
        title={signal}
        x={curve.x}
        y={curve.y}
        error={curve.error}
        xLabel={withUnit(axis, units[axis])}
        yLabel={withUnit("mean", units[signal])}
        isPoints
        fit={answer === undefined ? undefined : fitOf(answer)}
      />
      {answer === undefined ? null : (
        <Answer key={signal} answer={answer} unit={units[axis] ?? ""} isOn={scan.ended === null} />
      )}
    </>
  );
}

function Chosen({
  name,
  value,
  choices,
  onChange,
}: {
  readonly name: string;
  readonly value: string;
  readonly choices: readonly string[];
  readonly onChange: (choice: string) => void;
}) {
  return (
    <label>
      {name}{" "}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}

/** What was found, with a way to go there. */
function Answer({
  answer,
  unit,
  isOn,
}: {
  readonly answer: PageScan["answers"][number];
  readonly unit: string;
  readonly isOn: boolean;
}) {
  const { control } = useHeld();
  const { axis, kind, centre, centreError, fwhm, fwhmError, why } = answer;
  if (centre === null) return <p data-fit="none">{why}</p>;
  return (
    <p className="row" data-fit={centre}>
      <span>
        {kind} at <strong>{quantityWithError(centre, centreError ?? Number.NaN, unit)}</strong>
        {fwhm === null ? "" : `, FWHM ${quantityWithError(fwhm, fwhmError ?? Number.NaN, unit)}`}
      </span>
      <button
        type="button"
        disabled={control === null || isOn}
        title={control === null ? "take the lease to move" : ""}
        onClick={() => void underLease(async (held) => await (await held.plan({ [axis]: centre } as never)).go())}
      >
        go there
      </button>
    </p>
  );
}

/** What is drawn over the points, and in words what it is. */
function fitOf({ kind, curve }: PageScan["answers"][number]) {
  if (curve === null) return undefined;
  const model = kind === "step" ? "a step blurred by a Gaussian" : `a Gaussian ${kind} on a flat background`;
  return { label: `${model}, fitted to the points`, ...curve };
}

function curveOf(points: PageScan["points"], axis: string, signal: string) {
  const known = points.flatMap(({ at, values }) => {
    const [position, value] = [at[axis], values[signal]];
    return position === undefined || value === null || value === undefined ? [] : [{ position, value }];
  });
  const { errors } = pooledErrors(known.map(({ value }) => ({ ...value, standardError: value.error ?? Number.NaN })));
  return {
    x: Float64Array.from(known, ({ position }) => position),
    y: Float64Array.from(known, ({ value }) => value.mean),
    error: Float64Array.from(errors),
  };
}

/** The axis that has been at the most places. */
function mostMoved(points: PageScan["points"], axes: readonly string[]): string {
  const places = (axis: string): number => new Set(points.map(({ at }) => at[axis])).size;
  return [...axes].sort((a, b) => places(b) - places(a))[0] ?? "";
}

function withUnit(name: string, unit = ""): string {
  return unit === "" ? name : `${name} / ${unit}`;
}

function settingsText({ settings, units }: PageScan): string {
  if ("file" in settings) return `plan ${settings.file}`;
  const { axis, from, to } = settings;
  return `${axis} from ${from} to ${to} ${units[axis] ?? ""}`.trim();
}

function timeText({ began, ended, secondsLeft }: PageScan, now: number): string {
  const seconds = `${((ended ?? now) - began).toFixed(0)} s`;
  return secondsLeft === null ? seconds : `${seconds}, about ${secondsLeft.toFixed(0)} s left`;
}
