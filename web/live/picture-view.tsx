import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Roi } from "../../src/core/roi.ts";
import { plainTime } from "../../src/core/time-text.ts";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { PictureCanvas } from "../plots/picture-canvas.tsx";
import { roiColours } from "../plots/roi-colours.ts";
import { useStable } from "../plots/use-stable.ts";
import { ask } from "../server/connection.ts";
import { useHealth } from "../server/health.ts";
import { go } from "../server/location.ts";
import { usePoll } from "../server/use-poll.ts";
import { useTick } from "../shell/health-bar.tsx";
import { limitsOf } from "./limits.ts";
import { type Look, meanOf, roisText } from "./look.ts";
import { RoiForm } from "./roi-form.tsx";

type Frame = CallResult<"page.picture">;

/** The mouse rests for so long before the server is asked what is under it. */
const PIXEL_MS = 80;

/** Points across that are asked for: few sizes, so that windows of somewhat different sizes are sent the same picture. */
const SIDES = [200, 400, 600, 800, 1200];
const USUAL_SIDE = 600;

/** About as many points as a picture has on the screen, across; those of a usual one before it is there. */
export function pictureSide(): number {
  const frame = document.querySelector(".picture");
  const size = frame === null ? USUAL_SIDE : Math.max(frame.clientWidth, frame.clientHeight) * window.devicePixelRatio;
  return SIDES.reduce((best, side) => (Math.abs(side - size) < Math.abs(best - size) ? side : best));
}

interface Props {
  readonly frame: Frame;
  readonly look: Look;
  /** A stored shot; null: the newest live one. */
  readonly shot: CallParams<"page.pixel">["shot"];
  /** Why the picture is grey; null: it is as new as it should be. */
  readonly quiet: string | null;
  readonly onRegion: (region: Roi | null) => void;
}

/** A picture with what it shows in words, the pixel under the mouse, and its rectangles. */
export function PictureView({ frame, look, shot, quiet, onRegion }: Props) {
  const { picture } = frame;
  const { limits: wanted, scale } = look;
  const limits = useMemo(() => limitsOf(picture, { limits: wanted, scale }), [picture, wanted, scale]);
  const [point, setPoint] = useState<readonly [number, number] | null>(null);
  const pointAt = useCallback((row: number, column: number) => setPoint([row, column]), []);
  const rois = useStable(look.rois, roisText(look.rois));
  const addRoi = useCallback((roi: Roi) => go({ rois: roisText([...rois, roi].slice(-8)) }), [rois]);
  return (
    <section className={`picture-view ${quiet === null ? "" : "quiet"}`} aria-label={`picture of ${frame.detId}`}>
      <p className="what">
        <strong>{frame.detId}</strong> · run {frame.run} · tag {frame.tag} · {kindOf(frame)}
        {frame.what === "all" && frame.shots > 1 ? ` · mean of ${frame.shots} shots` : ""}
        {picture.step > 1 ? ` · each point: mean of ${picture.step} × ${picture.step} pixels` : " · every pixel"}
        {frame.time === null ? "" : ` · ${japanClock(frame.time)} JST`}
        {shot === null ? <Age /> : null}
        {frame.missing.map(({ detId, reason }) => (
          <span key={detId} className="bad">
            {" "}
            · {detId}: {reason}
          </span>
        ))}
      </p>
      <div className="picture-place">
        <PictureCanvas
          picture={picture}
          limits={limits}
          colourMap={look.colourMap}
          scale={look.scale}
          rois={rois}
          rings={look.hasRings ? frame.rings : null}
          onRoi={addRoi}
          onRegion={onRegion}
          onPoint={pointAt}
        />
        {quiet === null ? null : (
          <p className="quiet-note" role="status">
            {quiet}
          </p>
        )}
      </div>
      <p className="limits">
        colours from {limitText(limits.low)} to {limitText(limits.high)};{" "}
        <span className={limits.above > 1 ? "bad" : ""}>{limits.above.toFixed(2)} % above</span>,{" "}
        {limits.below.toFixed(2)} % below
      </p>
      <PixelReadout frame={frame} look={look} shot={shot} point={point} />
      <RoiForm onAdd={addRoi} />
      <RoiTable frame={frame} look={look} />
    </section>
  );
}

/** What a picture is, in words. */
function kindOf({ what, pumped, dark }: Frame): string {
  const counts = pumped === null ? "" : ` of ${pumped.on} pumped and ${pumped.off} unpumped shots`;
  const lessDark = dark === null ? "raw" : `dark of run ${dark} subtracted`;
  if (what === "all") return lessDark;
  if (what === "pumped") return `mean of ${pumped?.on ?? 0} pumped shots, ${lessDark}`;
  if (what === "unpumped") return `mean of ${pumped?.off ?? 0} unpumped shots, ${lessDark}`;
  const isNormalised = what.endsWith("-i0");
  const rest = isNormalised
    ? `${counts}, each divided by its I0${dark === null ? ", raw: the pedestal does not cancel, give a dark run" : `, ${lessDark}`}`
    : counts;
  if (what.startsWith("difference")) return `pumped − unpumped${rest}`;
  return what.startsWith("error") ? `standard error of pumped − unpumped${rest}` : `(pumped − unpumped) / error${rest}`;
}

/** How long ago the shot was; not drawn with each picture. */
const Age = memo(function AgeNow() {
  const { shownAt } = useHealth();
  useTick(500);
  if (shownAt === null) return null;
  const seconds = Math.max(0, (Date.now() - shownAt) / 1000);
  return <>, {seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s ago</>;
});

function PixelReadout({
  frame,
  look,
  shot,
  point,
}: Pick<Props, "frame" | "look" | "shot"> & { readonly point: readonly [number, number] | null }) {
  const at = useSettled(point, PIXEL_MS);
  const [rows, columns] = frame.picture.size;
  const isInside = at !== null && at[0] >= 0 && at[1] >= 0 && at[0] < rows && at[1] < columns;
  const key = JSON.stringify([at, shot, frame.detId, look.dark]);
  const found = usePoll(
    isInside
      ? async (signal) =>
          await ask(
            "page.pixel",
            {
              bl: frame.bl,
              detId: frame.detId,
              dark: look.dark,
              shot,
              mean: meanOf(look),
              what: look.what,
              hits: look.hits,
              row: at[0],
              column: at[1],
            },
            signal,
          )
      : null,
    500,
    key,
  );
  if (!isInside) return <p className="pixel">point at a pixel; Shift+drag marks a rectangle, Ctrl+drag zooms</p>;
  const { value } = found;
  return (
    <p className="pixel">
      row {at[0]}, column {at[1]}
      {value === undefined ? (
        (found.error ?? " …")
      ) : (
        <>
          : <strong>{value.value === null ? "no data" : short(value.value)}</strong>
          {value.sensor === null
            ? ", between the sensors"
            : `, pixel (${value.sensor.row}, ${value.sensor.column}) of ${value.sensor.detId}`}
          {value.xUm === null || value.yUm === null
            ? ""
            : `, x ${(value.xUm / 1000).toFixed(2)} mm, y ${(value.yUm / 1000).toFixed(2)} mm from the beam`}
          , tag {value.tag}
        </>
      )}
    </p>
  );
}

function RoiTable({ frame, look }: Pick<Props, "frame" | "look">) {
  if (look.rois.length === 0) return null;
  const found = (roi: Roi) => frame.rois.find((one) => `${one.roi.rows} ${one.roi.columns}` === keyOf(roi));
  return (
    <div className="scroll">
      <table className="rois">
        <caption>Rectangles, summed on the server over the sensor pixels in them</caption>
        <thead>
          <tr>
            <th scope="col">rows</th>
            <th scope="col">columns</th>
            <th scope="col">sum</th>
            <th scope="col">mean</th>
            <th scope="col">largest</th>
            <th scope="col">pixels</th>
            <th scope="col">
              <span className="hidden">remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {look.rois.map((roi, i) => {
            const numbers = found(roi);
            return (
              <tr key={keyOf(roi)}>
                <th scope="row">
                  <svg width="10" height="10" aria-hidden="true">
                    <rect width="10" height="10" fill={roiColours[i]} />
                  </svg>{" "}
                  {roi.rows[0]}–{roi.rows[1] - 1}
                </th>
                <td>
                  {roi.columns[0]}–{roi.columns[1] - 1}
                </td>
                <td data-roi-sum>{numbers === undefined ? "…" : short(numbers.sum)}</td>
                <td>{numbers === undefined ? "…" : short(numbers.mean)}</td>
                <td>{numbers === undefined ? "…" : short(numbers.max)}</td>
                <td>{numbers?.pixels ?? "…"}</td>
                <td>
                  <button
                    type="button"
                    aria-label={`remove rectangle ${i + 1}`}
                    onClick={() => go({ rois: roisText(look.rois.filter((other) => other !== roi)) })}
                  >
                    ✕
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function keyOf({ rows, columns }: Roi): string {
  return `${rows} ${columns}`;
}

/** The last value that has not changed for a moment. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    timer.current = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer.current);
  }, [value, ms]);
  return settled;
}

export function short(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return "–";
  return Math.abs(value) >= 1e9 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(4)
    : String(Number(value.toPrecision(9)));
}

/** Of a colour: more digits are not seen. */
function limitText(value: number): string {
  return short(Number(value.toPrecision(5)));
}

/** A number as {@link short} has it; texts as they are. */
export function valueText(value: unknown): string {
  return typeof value === "number" ? short(value) : String(value ?? "");
}

/** Time of day in Japan. */
export function japanClock(seconds: number): string {
  return plainTime(new Date(seconds * 1000)).slice(-"hh:mm:ss".length);
}
