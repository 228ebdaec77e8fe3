import { useMemo, useState } from "react";
import { pooledErrors } from "../../src/core/point-errors.ts";
import { fitPeak, type PeakFit } from "../../src/scan/fits/peak.ts";
import type { CallParams } from "../../src/transport/methods.ts";
import type { PageScan } from "../../src/transport/scan-methods.ts";
import { short } from "../live/picture-view.tsx";
import { Curve } from "../plots/curve.tsx";
import { textOf } from "../server/use-poll.ts";
import type { SteerProps } from "../steer/axes-table.tsx";
import { underLease, useHeld } from "../steer/held.ts";

type What = CallParams<"page.doScan">["what"];

/** A scan that is on or was last: how far it is, its curve, and where the peak is. */
export function ScanProgress({
  view,
  scan,
  now,
  onDo,
}: SteerProps & { readonly scan: PageScan; readonly now: number; readonly onDo: (what: What) => void }) {
  const { settings, points } = scan;
  const [index, setIndex] = useState(0);
  const isOn = scan.ended === null;
  const unit = unitOf(view, settings.axis);
  const signal = settings.signals[Math.min(index, settings.signals.length - 1)];
  const at = signal === undefined ? -1 : settings.signals.indexOf(signal);
  const curve = useMemo(() => curveOf(points, at), [points, at]);
  const buttons: readonly (readonly [What, string, boolean])[] = [
    ["pause", "pause", scan.state === "running"],
    ["resume", "go on", scan.state === "paused"],
    ["stop", "stop after this point", isOn],
    ["abort", "abort now", isOn],
  ];
  return (
    <div data-scan={scan.state}>
      <p role="status">
        <strong className={scan.state === "failed" ? "bad" : isOn ? "good" : ""}>{scan.state}</strong> · {settings.axis}{" "}
        from {settings.from} to {settings.to} {unit} · by {scan.by}: {scan.reason} · {timeLeft(scan, now)}
      </p>
      <progress value={points.length} max={settings.points} aria-label="points done" /> {points.length} of{" "}
      {settings.points} points
      {isOn ? (
        <p>
          {scan.line}
          {scan.notes.length === 0 ? "" : ` · ${scan.notes.at(-1)}`}
        </p>
      ) : null}
      {scan.error === null ? null : (
        <p role="alert" className="bad">
          {scan.error}
        </p>
      )}
      {isOn ? (
        <div className="row">
          {buttons.map(([what, text, isPossible]) => (
            <button key={what} type="button" disabled={!isPossible} onClick={() => onDo(what)}>
              {text}
            </button>
          ))}
        </div>
      ) : null}
      {settings.signals.length < 2 ? null : (
        <label>
          signal{" "}
          <select value={index} onChange={(event) => setIndex(Number(event.target.value))}>
            {settings.signals.map((id, i) => (
              <option key={id} value={i}>
                {id}
              </option>
            ))}
          </select>
        </label>
      )}
      {signal === undefined ? null : (
        <>
          <Curve
            title={signal}
            x={curve.x}
            y={curve.y}
            error={curve.error}
            xLabel={`${settings.axis} / ${unit}`}
            yLabel="mean of the shots"
            isPoints
          />
          <FoundPeak curve={curve} axis={settings.axis} unit={unit} isOn={isOn} />
        </>
      )}
      {scan.journal === null || isOn || scan.state === "done" ? null : <pre>sacla resume {scan.journal}</pre>}
    </div>
  );
}

interface ScanCurve {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly error: Float64Array;
  readonly freedom: number;
}

function curveOf(points: PageScan["points"], at: number): ScanCurve {
  const known = points.flatMap(({ position, values }) => {
    const value = values[at];
    return value === null || value === undefined ? [] : [{ position, value }];
  });
  const { errors, errorFreedom } = pooledErrors(
    known.map(({ value }) => ({ ...value, standardError: value.error ?? Number.NaN })),
  );
  return {
    x: Float64Array.from(known, ({ position }) => position),
    y: Float64Array.from(known, ({ value }) => value.mean),
    error: Float64Array.from(errors),
    freedom: errorFreedom,
  };
}

/** The peak, when the points show one, with a way to go there. */
function FoundPeak({ curve, axis, unit, isOn }: { curve: ScanCurve; axis: string; unit: string; isOn: boolean }) {
  const { control } = useHeld();
  const found = useMemo(() => peakOf(curve), [curve]);
  if (found === null) return null;
  if ("why" in found) return <p data-fit="none">{found.why}</p>;
  const { centre, centreError, fwhm, fwhmError } = found;
  return (
    <p className="row" data-fit={centre}>
      <span>
        peak at <strong>{withError(centre, centreError)}</strong> {unit}, FWHM {withError(fwhm, fwhmError)} {unit}
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

/** Fewer points say nothing of a peak. */
const LEAST_POINTS = 5;

function peakOf({ x, y, error, freedom }: ScanCurve): PeakFit | { readonly why: string } | null {
  if (x.length < LEAST_POINTS) return null;
  try {
    return fitPeak([...x], [...y], { errors: [...error], errorFreedom: freedom });
  } catch (reason) {
    return { why: textOf(reason) };
  }
}

/** As many digits as the error tells. */
function withError(value: number, error: number): string {
  if (!(error > 0)) return short(value);
  const digits = Math.max(0, 1 - Math.floor(Math.log10(error)));
  return `${value.toFixed(Math.min(12, digits))} ± ${error.toFixed(Math.min(12, digits))}`;
}

function timeLeft({ began, ended, points, settings }: PageScan, now: number): string {
  const seconds = (ended ?? now) - began;
  if (ended !== null || points.length === 0) return `${seconds.toFixed(0)} s`;
  const left = (seconds / points.length) * (settings.points - points.length);
  return `${seconds.toFixed(0)} s, about ${left.toFixed(0)} s left`;
}

function unitOf(view: SteerProps["view"], axis: string): string {
  try {
    return view.axis(axis as never).unit;
  } catch {
    return "";
  }
}
