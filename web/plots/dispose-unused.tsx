import { useThree } from "@react-three/fiber";
import { useEffect, useRef } from "react";
import type { BufferGeometry, Object3D } from "three";

/**
 * Inside a plot that is drawn again with new data: lets go of what was drawn before. @h5web/lib makes a new geometry
 * for each change of the data and leaves the one before in the memory of the graphics card and of its renderer.
 */
export function DisposeUnused() {
  const scene = useThree((state) => state.scene);
  const known = useRef(new Set<BufferGeometry>());
  useEffect(() => {
    const used = new Set<BufferGeometry>();
    scene.traverse((object: Object3D & { readonly geometry?: BufferGeometry }) => {
      if (object.geometry !== undefined) used.add(object.geometry);
    });
    for (const before of known.current) if (!used.has(before)) before.dispose();
    known.current = used;
  });
  return null;
}
