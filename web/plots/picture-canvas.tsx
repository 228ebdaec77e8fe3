import { memo, useLayoutEffect, useMemo, useRef } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import type { Limits } from "../live/limits.ts";
import type { ColourMap, Scale } from "../live/look.ts";
import { ColourBar } from "./colour-bar.tsx";
import { PicturePlot } from "./later.tsx";
import { placeOf, useLevels } from "./levels.ts";
import type { PlotProps } from "./picture-plot.tsx";
import { useStable } from "./use-stable.ts";

interface Props extends Pick<PlotProps, "rois" | "rings" | "onRoi" | "onRegion" | "onPoint"> {
  readonly picture: CallResult<"page.picture">["picture"];
  readonly limits: Limits;
  readonly colourMap: ColourMap;
  readonly scale: Scale;
}

/**
 * A picture with its colours, to zoom (wheel, Ctrl+drag), move (drag) and mark rectangles on (Shift+drag). At first it is
 * there alone: axes and what is drawn over it come when they are loaded, at the same place.
 */
export const PictureCanvas = memo(function PictureCanvas(props: Props) {
  const { picture, limits, colourMap, scale, rings, ...rest } = props;
  const [rows, columns] = picture.size;
  const { low, high } = limits;
  const domain = useMemo((): [number, number] => [low, high], [low, high]);
  const canvas = useLevels(picture, domain, scale, colourMap);
  const alone = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => alone.current?.append(canvas), [canvas]);
  return (
    <figure className="picture" data-keep-canvas-colors>
      <div className="alone" ref={alone} />
      <PicturePlot
        {...rest}
        rows={rows}
        columns={columns}
        canvas={canvas}
        place={useStable(placeOf(picture))}
        beam={useStable(picture.beam)}
        rings={useStable(rings)}
      />
      <ColourBar domain={domain} scale={scale} colourMap={colourMap} />
    </figure>
  );
});
