/** Widths in pixels of the unusable border along each side of a sensor. */
interface SensorEdges {
  readonly firstColumns: number;
  readonly lastColumns: number;
  readonly firstRows: number;
  /** On MPCCD and CITIUS-20.2M the side under the amplifier shield. */
  readonly lastRows: number;
}

/** What all detectors of a make have in common. */
interface DetectorFamily {
  /** The make: MPCCD, CITIUS. */
  readonly make: string;
  /** Fits the ids of its detectors and of their sensors. */
  readonly id: RegExp;
  /** Fits the id of one of several sensors and captures the id of the whole detector. */
  readonly sensorId?: RegExp;
  /** Size of an unbinned image of a sensor. */
  readonly rows: number;
  readonly columns: number;
  readonly pixelSizeUm: number;
  /** Thickness of the silicon. */
  readonly thicknessUm: number;
  /** Unusable borders; absent where none are known. */
  readonly edges?: SensorEdges;
  /** `detector_type` of a sensor in DataConvert's files; absent where it is not known. */
  readonly dataConvertType?: number;
}

/**
 * Sensors of MPCCD detectors: 512 × 1024 pixels of 50 µm (T. Kameshima et al., Rev. Sci. Instrum. 85, 033110, 2014).
 */
export const mpccd = {
  make: "MPCCD",
  sensorId: /^(MPCCD-[2-9].*-\d+)-\d$/,
  rows: 1024,
  columns: 512,
  pixelSizeUm: 50,
  thicknessUm: 50,
} as const;
/** Octals of phase III have thicker sensors than the others (dxtbx FormatHDF5SaclaMPCCD). */
const phase3 = { ...mpccd, thicknessUm: 300, dataConvertType: 5 };
/** Sensors of CITIUS detectors: 384 × 728 pixels of 72.6 µm. */
export const citius = {
  make: "CITIUS",
  sensorId: /^(CITIUS-[\d.]+M-.+)-\d{3}$/,
  rows: 728,
  columns: 384,
  pixelSizeUm: 72.6,
  thicknessUm: 50,
} as const;

function edges(firstColumns: number, lastColumns: number, firstRows: number, lastRows: number): SensorEdges {
  return { firstColumns, lastColumns, firstRows, lastRows };
}

/** The known families; the first that fits counts. Cameras belong to none. Edges: get_border of ostrich. */
const families: readonly DetectorFamily[] = [
  { id: /^MPCCD-8B0-2-005/, ...phase3, edges: edges(5, 5, 5, 35) }, // seen Oct 2022 at 10 keV
  { id: /^MPCCD-8B0-2-006/, ...phase3, edges: edges(5, 5, 5, 30) }, // seen Feb 2020 at 10 keV
  { id: /^MPCCD-8B0-2-007/, ...phase3, edges: edges(5, 5, 5, 33) }, // seen Nov 2022 at 10 keV
  { id: /^MPCCD-8B0-2-008/, ...phase3, edges: edges(5, 5, 5, 30) }, // as of 2024-25
  { id: /^MPCCD-8B0-2-010/, ...phase3, edges: edges(5, 5, 5, 32) }, // as of 2024-25
  { id: /^MPCCD-8B/, ...phase3, edges: edges(5, 5, 5, 23) }, // other phase III octals, Jul 2017 at 10 keV
  // compact phase I octals, Jul 2017 at 7 keV
  { id: /^MPCCD-8N/, ...mpccd, edges: edges(0, 0, 0, 22), dataConvertType: 5 },
  { id: /^MPCCD-8/, ...mpccd, dataConvertType: 5 },
  { id: /^MPCCD-1/, ...mpccd, dataConvertType: 6 },
  { id: /^MPCCD-/, ...mpccd },
  { id: /^CITIUS-20\.2M/, ...citius, edges: edges(1, 1, 1, 14) },
  { id: /^CITIUS-2\.2M/, ...citius, edges: edges(5, 5, 1, 5) },
  { id: /^CITIUS/, ...citius },
];

/** The family of a detector or sensor; undefined for cameras and makes that are not known. */
export function familyOf(id: string): DetectorFamily | undefined {
  return families.find((family) => family.id.test(id));
}

/** The id of the whole detector that a sensor is one of several of; undefined for every other id. */
export function compositeOf(sensorId: string): string | undefined {
  return familyOf(sensorId)?.sensorId?.exec(sensorId)?.[1];
}

/** Whether an id is that of a camera, as the timing monitor has one. */
export function isCamera(id: string): boolean {
  return id.startsWith("OPAL");
}
