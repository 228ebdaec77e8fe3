import { type ComponentType, lazy, Suspense } from "react";
import { nextDrawn, textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

type Plots = typeof import("./plots.ts");

let loading: Promise<Plots> | undefined;

/**
 * Loads what draws plots: three quarters of the page's code, and to begin with WebGL takes longer than to draw a picture
 * without it. So the first picture comes before it.
 */
export async function loadPlots(): Promise<Plots> {
  loading ??= import("./plots.ts");
  return await loading;
}

export const Curve = later(({ Curve }) => Curve);
export const BrushedCurve = later(({ BrushedCurve }) => BrushedCurve);
export const H5Picture = later(({ H5Picture }) => H5Picture);
export const PicturePlot = later(({ PicturePlot }) => PicturePlot);

/** A component that comes when it is loaded. */
function later<P extends object>(of: (plots: Plots) => ComponentType<P>): ComponentType<P> {
  const load = async (): Promise<{ default: ComponentType<P> }> => {
    await nextDrawn();
    try {
      return { default: of(await loadPlots()) };
    } catch (error) {
      const text = `The plots cannot be loaded: ${textOf(error)}. Load the page again.`;
      return { default: () => <Failure text={text} /> };
    }
  };
  const Loaded = lazy(load) as unknown as ComponentType<P>;
  return (props) => (
    <Suspense fallback={<div className="later" />}>
      <Loaded {...props} />
    </Suspense>
  );
}
