import { GlyphsGeometry, LineVis, ScaleType, useDomain, useUpdateGeometry, useVisCanvasContext } from "@h5web/lib";
import ndarray from "ndarray";
import { useMemo } from "react";
import { DisposeUnused } from "./dispose-unused.tsx";

interface Props {
  readonly title: string;
  readonly x: Float64Array | Uint32Array;
  readonly y: Float64Array;
  readonly error?: Float64Array;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isLog?: boolean;
  readonly isPoints?: boolean;
  /** A second curve over the same x: a fit. */
  readonly fit?: { readonly label: string; readonly y: Float64Array };
}

/** One curve with its axes, its unit and, where there are, its error bars. */
export function Curve({ title, x, y, error, xLabel, yLabel, isLog, isPoints, fit }: Props) {
  const data = useMemo(() => ndarray(y), [y]);
  const errors = useMemo(() => (error === undefined ? undefined : ndarray(error)), [error]);
  const auxiliaries = useMemo(() => (fit === undefined ? [] : [{ label: fit.label, array: ndarray(fit.y) }]), [fit]);
  const scaleType = isLog === true ? ScaleType.Log : ScaleType.Linear;
  const found = useDomain(data, { scaleType, ...(errors === undefined ? {} : { errors }) });
  const abscissas = useMemo(() => Array.from(x), [x]);
  const isEmpty = y.length < 2 || found === undefined;
  const domain: [number, number] | undefined =
    found !== undefined && found[0] === found[1] ? [found[0] - 0.5, found[1] + 0.5] : found;
  return (
    <figure className="curve" aria-label={title}>
      <figcaption>{title}</figcaption>
      {isEmpty ? (
        <p role="status">no values yet</p>
      ) : (
        <LineVis
          dataArray={data}
          domain={domain}
          scaleType={scaleType}
          visible={isPoints !== true}
          {...(isPoints === true
            ? { renderTooltip: ({ xi }: { xi: number }) => <>{pointText(abscissas[xi], y[xi])}</> }
            : {})}
          showGrid
          abscissaParams={{ label: xLabel, value: abscissas }}
          ordinateLabel={yLabel}
          {...(errors === undefined ? {} : { errorsArray: errors, showErrors: true })}
          auxiliaries={auxiliaries}
        >
          {isPoints === true ? <Points x={abscissas} y={y} /> : null}
          <DisposeUnused />
        </LineVis>
      )}
    </figure>
  );
}

function pointText(x: number | undefined, y: number | undefined): string {
  return `${x?.toPrecision(6)}: ${y?.toPrecision(6)}`;
}

/**
 * One dot for each value. Those of @h5web/lib have their shader made anew for each change of the data, which takes longer
 * than all the rest of the page where there is no graphics card.
 */
export function Points({ x, y }: { x: number[]; y: Float64Array }) {
  const { abscissaScale, ordinateScale } = useVisCanvasContext();
  const geometry = useMemo(
    () => new GlyphsGeometry({ abscissas: x, ordinates: y, abscissaScale, ordinateScale }),
    [x, y, abscissaScale, ordinateScale],
  );
  useUpdateGeometry(geometry);
  return (
    <points geometry={geometry}>
      <pointsMaterial color="#5ec8d8" size={4} sizeAttenuation={false} />
    </points>
  );
}
