import {
  DefaultInteractions,
  ErrorBarsGeometry,
  extendDomain,
  GlyphsGeometry,
  Interpolation,
  Line,
  ResetZoomButton,
  ScaleType,
  TooltipMesh,
  useAxisDomain,
  useDomain,
  useUpdateGeometry,
  useValueToIndexScale,
  useVisCanvasContext,
  VisCanvas,
} from "@h5web/lib";
import ndarray from "ndarray";
import { useMemo } from "react";
import { DisposeUnused } from "./dispose-unused.tsx";
import { KeyboardView } from "./keyboard-view.tsx";
import { logTickText, tickText } from "./ticks.ts";

interface Props {
  readonly title: string;
  readonly x: Float64Array | Uint32Array;
  readonly y: Float64Array;
  readonly error?: Float64Array;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isLog?: boolean;
  readonly isPoints?: boolean;
  /** Drawn as steps: the counts of a histogram with wide bins. */
  readonly isSteps?: boolean;
  /** A second curve, in another colour: a fit, and in words what it is. */
  readonly fit?: { readonly label: string; readonly x: number[]; readonly y: number[] } | undefined;
}

const COLOUR = "#5ec8d8";
const FIT_COLOUR = "#ff9f43";

/** One curve with its axes, its unit and, where there are, its error bars. */
export function Curve(props: Props) {
  const { title, y, error, isLog, fit } = props;
  const data = useMemo(() => ndarray(y), [y]);
  const errors = useMemo(() => (error === undefined ? undefined : ndarray(error)), [error]);
  const scaleType = isLog === true ? ScaleType.Log : ScaleType.Linear;
  const found = useDomain(data, { scaleType, ...(errors === undefined ? {} : { errors }) });
  return (
    <figure className="curve" aria-label={title}>
      <figcaption>
        {title}
        {fit === undefined ? "" : ` · orange line: ${fit.label}`}
      </figcaption>
      {y.length < 2 || found === undefined ? (
        <p role="status">no values yet</p>
      ) : (
        <Drawn {...props} domain={rangeOf(withFit(found, fit?.y), props.isSteps === true)} />
      )}
    </figure>
  );
}

/** A fitted peak may be higher than all points. */
function withFit([low, high]: readonly [number, number], fit: readonly number[] = []): readonly [number, number] {
  return [Math.min(low, ...fit), Math.max(high, ...fit)];
}

/** What an axis shows of values: not nothing, and counts from 0 on. */
function rangeOf([low, high]: readonly [number, number], isCounts: boolean): [number, number] {
  if (isCounts) return [0, Math.max(1, high)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function Drawn({
  x,
  y,
  error,
  xLabel,
  yLabel,
  isLog,
  isPoints,
  isSteps,
  fit,
  domain,
}: Props & { domain: [number, number] }) {
  const scaleType = isLog === true ? ScaleType.Log : ScaleType.Linear;
  const abscissas = useMemo(() => Array.from(x), [x]);
  const [low, high] = domain;
  const visDomain = useMemo(() => extendDomain([low, high], 0.05, scaleType), [low, high, scaleType]);
  const indexOf = useValueToIndexScale(abscissas, true);
  return (
    <VisCanvas
      abscissaConfig={{
        visDomain: useAxisDomain(abscissas, { extensionFactor: 0.01 }) ?? [0, 1],
        showGrid: true,
        label: xLabel,
        formatTick: tickText,
      }}
      ordinateConfig={{
        visDomain,
        showGrid: true,
        scaleType,
        label: yLabel,
        formatTick: isLog === true ? logTickText : tickText,
      }}
    >
      <DefaultInteractions />
      <ResetZoomButton />
      <KeyboardView />
      <TooltipMesh
        guides="vertical"
        renderTooltip={(at) => {
          const i = indexOf(at);
          const wrong = error === undefined ? "" : ` ± ${pointText(error[i])}`;
          return `${pointText(abscissas[i])}: ${pointText(y[i])}${wrong}`;
        }}
      />
      {isPoints === true ? (
        <Points x={abscissas} y={y} />
      ) : (
        <Line
          abscissas={abscissas}
          ordinates={y}
          color={COLOUR}
          interpolation={isSteps === true ? Interpolation.Constant : Interpolation.Linear}
        />
      )}
      {error === undefined ? null : <Bars x={abscissas} y={y} errors={error} />}
      {fit === undefined ? null : <Line abscissas={fit.x} ordinates={fit.y} color={FIT_COLOUR} />}
      <DisposeUnused />
    </VisCanvas>
  );
}

function pointText(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "–" : tickText(Number(value.toPrecision(6)));
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
      <pointsMaterial color={COLOUR} size={4} sizeAttenuation={false} />
    </points>
  );
}

/** One standard deviation up and down. Those of @h5web/lib have caps, whose shader is made anew as that of its dots. */
function Bars({ x, y, errors }: { x: number[]; y: Float64Array; errors: Float64Array }) {
  const { abscissaScale, ordinateScale } = useVisCanvasContext();
  const geometry = useMemo(
    () => new ErrorBarsGeometry({ abscissas: x, ordinates: y, errors, abscissaScale, ordinateScale }),
    [x, y, errors, abscissaScale, ordinateScale],
  );
  useUpdateGeometry(geometry);
  return (
    <lineSegments geometry={geometry}>
      <lineBasicMaterial color={COLOUR} />
    </lineSegments>
  );
}
