import { Box, useVisCanvasContext } from "@h5web/lib";
import { useThree } from "@react-three/fiber";
import { useEffect } from "react";
import { Vector3 } from "three";

/** Of what is seen, for one key. */
const STEP = 0.1;
const ZOOM = 0.8;

/** In a plot: the keyboard moves and zooms it, as the mouse does. */
export function KeyboardView() {
  const { canvasArea, visSize, getFovBox } = useVisCanvasContext();
  const camera = useThree((state) => state.camera);
  const invalidate = useThree((state) => state.invalidate);
  useEffect(() => {
    canvasArea.tabIndex = 0;
    canvasArea.setAttribute("role", "group");
    canvasArea.setAttribute("aria-label", "plot: arrow keys move it, + and − zoom, 0 shows all of it");
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.target !== canvasArea) return;
      const { size, center } = getFovBox(camera);
      const to = moves[event.key];
      if (to !== undefined) center.add(new Vector3(to[0] * STEP * size.width, to[1] * STEP * size.height));
      else if (event.key === "+" || event.key === "=") camera.scale.multiply(new Vector3(ZOOM, ZOOM, 1));
      else if (event.key === "-") camera.scale.divide(new Vector3(ZOOM, ZOOM, 1)).min(new Vector3(1, 1, 1));
      else if (event.key === "0") camera.scale.set(1, 1, 1);
      else return;
      event.preventDefault();
      const seen = getFovBox(camera, center).keepWithin(Box.fromSize(visSize));
      camera.position.copy(seen.center.setZ(camera.position.z));
      camera.updateMatrixWorld();
      invalidate();
    };
    canvasArea.addEventListener("keydown", onKey);
    return () => canvasArea.removeEventListener("keydown", onKey);
  }, [canvasArea, visSize, getFovBox, camera, invalidate]);
  return null;
}

const moves: Readonly<Record<string, readonly [right: number, up: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};
