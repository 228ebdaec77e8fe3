import { INTERPOLATORS, ScaleType, useVisCanvasContext } from "@h5web/lib";
import { useThree } from "@react-three/fiber";
import { useEffect, useLayoutEffect, useMemo } from "react";
import {
  DataTexture,
  DoubleSide,
  NearestFilter,
  RedIntegerFormat,
  RGBAFormat,
  ShaderMaterial,
  type Texture,
  UnsignedByteType,
  UnsignedShortType,
  Vector3,
} from "three";
import type { CallResult } from "../../src/transport/methods.ts";
import { TOP_LEVEL } from "../live/limits.ts";
import type { ColourMap } from "../live/look.ts";

type Picture = CallResult<"page.picture">["picture"];

const COLOURS = 256;
/** What is shown where there are no data. */
const NO_DATA: readonly number[] = [0x1b / 255, 0x23 / 255, 0x2d / 255];
/** Scales as the shader counts them. */
const kinds: Readonly<Partial<Record<ScaleType, number>>> = {
  [ScaleType.Linear]: 0,
  [ScaleType.Log]: 1,
  [ScaleType.Sqrt]: 2,
  [ScaleType.SymLog]: 3,
};

const vertexShader = `
  varying vec2 coords;
  void main() {
    coords = uv;
    gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
  }
`;

/** Levels become values, values a place on the scale, and this a colour. */
const fragmentShader = `
  precision highp usampler2D;
  uniform usampler2D levels;
  uniform sampler2D colours;
  uniform float low;
  uniform float perLevel;
  uniform int scale;
  uniform float first;
  uniform float overRange;
  uniform vec3 noData;
  varying vec2 coords;

  void main() {
    uint level = texture(levels, coords).r;
    float value = low + float(level) * perLevel;
    if (level == 65535u || (scale == 1 && value <= 0.0) || (scale == 2 && value < 0.0)) {
      gl_FragColor = vec4(noData, 1.0);
      return;
    }
    if (scale == 1) value = log(value);
    if (scale == 2) value = sqrt(value);
    if (scale == 3) value = sign(value) * log(1.0 + abs(value));
    gl_FragColor = texture(colours, vec2(clamp(overRange * (value - first), 0.0, 1.0), 0.5));
  }
`;

interface Props {
  readonly picture: Picture;
  readonly domain: readonly [number, number];
  readonly scaleType: ScaleType;
  readonly colourMap: ColourMap;
}

/**
 * The levels of a picture in colours, at their place in the whole picture. As HeatmapMesh of @h5web/lib, but what the
 * graphics card has is changed for each picture, not made anew: making a shader takes longer than all the rest.
 */
export function HeatMap({ picture, domain, scaleType, colourMap }: Props) {
  const invalidate = useThree((state) => state.invalidate);
  const { dataToWorld } = useVisCanvasContext();
  const { shown, shape, step } = picture;
  const material = useMemo(
    () =>
      new ShaderMaterial({
        vertexShader,
        fragmentShader,
        side: DoubleSide,
        uniforms: Object.fromEntries(
          ["levels", "colours", "low", "perLevel", "scale", "first", "overRange", "noData"].map((name) => [
            name,
            { value: name === "noData" ? new Vector3(...NO_DATA) : 0 },
          ]),
        ),
      }),
    [],
  );
  const [rows, columns] = shape;
  const levels = useMemo(() => levelsTexture(rows, columns), [rows, columns]);
  const colours = useMemo(() => coloursTexture(colourMap), [colourMap]);
  useEffect(() => () => material.dispose(), [material]);
  useEffect(() => () => levels.dispose(), [levels]);
  useEffect(() => () => colours.dispose(), [colours]);
  useLayoutEffect(() => {
    if (levels.image.data !== picture.levels) {
      levels.image.data = picture.levels;
      levels.needsUpdate = true;
    }
    const first = onScale(scaleType, domain[0]);
    const values = {
      levels,
      colours,
      low: picture.low,
      perLevel: (picture.high - picture.low) / TOP_LEVEL,
      scale: kinds[scaleType] ?? 0,
      first,
      overRange: 1 / (onScale(scaleType, domain[1]) - first),
    };
    for (const [name, value] of Object.entries(values)) {
      const uniform = material.uniforms[name];
      if (uniform !== undefined) uniform.value = value;
    }
    invalidate();
  }, [invalidate, material, levels, colours, picture, domain, scaleType]);
  const top = dataToWorld(new Vector3(shown.columns[0], shown.rows[0]));
  // The last block may stand for fewer pixels than it has room for.
  const end = dataToWorld(new Vector3(shown.columns[0] + columns * step, shown.rows[0] + rows * step));
  return (
    <mesh
      material={material}
      position={[(top.x + end.x) / 2, (top.y + end.y) / 2, 0]}
      scale={[Math.abs(end.x - top.x), -Math.abs(end.y - top.y), 1]}
    >
      <planeGeometry />
    </mesh>
  );
}

function onScale(scaleType: ScaleType, value: number): number {
  if (scaleType === ScaleType.Log) return Math.log(value);
  if (scaleType === ScaleType.Sqrt) return Math.sqrt(value);
  return scaleType === ScaleType.SymLog ? Math.sign(value) * Math.log1p(Math.abs(value)) : value;
}

function levelsTexture(rows: number, columns: number): DataTexture {
  const texture = new DataTexture(new Uint16Array(rows * columns), columns, rows, RedIntegerFormat, UnsignedShortType);
  // Rows of an odd number of levels end in the middle of a word.
  texture.unpackAlignment = 2;
  texture.magFilter = NearestFilter;
  return texture;
}

function coloursTexture(colourMap: ColourMap): Texture {
  const rgba = Array.from({ length: COLOURS }, (_, i) => {
    const [red = 0, green = 0, blue = 0] = partsOf(INTERPOLATORS[colourMap](i / (COLOURS - 1)));
    return [red, green, blue, 255];
  });
  const texture = new DataTexture(Uint8Array.from(rgba.flat()), COLOURS, 1, RGBAFormat, UnsignedByteType);
  texture.needsUpdate = true;
  return texture;
}

/** Of `rgb(1, 2, 3)` or `#010203`. */
function partsOf(colour: string): number[] {
  if (colour.startsWith("#")) return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return (colour.match(/[\d.]+/g) ?? []).map(Number);
}
