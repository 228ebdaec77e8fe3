import { resolve } from "node:path";
import { SaclaError, show } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import type { RunInfo } from "../../transport/index.ts";
import type { ResolvedRequest } from "../request.ts";
import { H5File } from "./h5file.ts";

/** Where files carry how they were made. */
export const PROVENANCE_PATH = "/sacla/provenance";
export const PROVENANCE_FORMAT = "sacla conversion 1";

/** The dark that was subtracted: its run and what it was averaged from. */
export interface DarkInfo {
  readonly run: number;
  readonly tags: readonly number[];
  readonly rule: string;
  readonly ledger: Ledger;
}

/** How a file was made: enough to make it again bit for bit, from the same source by the same version. */
export interface Provenance {
  readonly format: typeof PROVENANCE_FORMAT;
  readonly request: ResolvedRequest;
  readonly source: {
    /** Address the source was opened by; null when the caller did not say. */
    readonly url: string | null;
    readonly apiVersion: string;
    /** Of a simulated source; null for its default, and for others. */
    readonly seed: number | null;
  };
  /** The dictionary of `read_runinfo`. */
  readonly run: RunInfo;
  /** Every shot of the run: used (their tags are in the file), or dropped with the reason. */
  readonly ledger: Ledger;
  readonly signals: readonly { readonly id: string; readonly leaf: string; readonly unit: string }[];
  readonly constants: {
    /** Null where the source knows none. */
    readonly photonEnergyEv: number | null;
    readonly tagStep: number;
    readonly dark: DarkInfo | null;
    readonly sensors: readonly object[];
    /** Of stacked images in photons; null for images in ADU. */
    readonly photons: PhotonScale | null;
  };
  readonly versions: { readonly sacla: string; readonly h5wasm: string };
}

export interface PhotonScale {
  readonly unitsPerPhoton: number;
  readonly evPerElectron: number;
  /** How many shots took their photon energy from where. */
  readonly energyFrom: Readonly<Record<string, number>>;
  /** Pixels set to the lowest or highest value because theirs did not fit, and to 0 because they were no number. */
  readonly clipped: readonly [below: number, above: number, notNumbers: number];
}

/** How a file was made; undefined when it does not say, or not in this form. */
export function readProvenance(file: H5File): Provenance | undefined {
  if (file.kind(PROVENANCE_PATH) !== "dataset") return undefined;
  return parseProvenance(file.textOrNone(PROVENANCE_PATH) ?? "");
}

function parseProvenance(text: string): Provenance | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isProvenance(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const parts = ["request", "source", "run", "ledger", "signals", "constants", "versions"] as const;

function isProvenance(value: unknown): value is Provenance {
  if (typeof value !== "object" || value === null || !("format" in value) || value.format !== PROVENANCE_FORMAT)
    return false;
  return parts.every((name) => typeof Reflect.get(value, name) === "object" && Reflect.get(value, name) !== null);
}

/**
 * How a file was made, as it says itself.
 * @throws UNSUPPORTED when it does not say
 */
export async function provenanceOf(path: string): Promise<Provenance> {
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const provenance = readProvenance(file);
    if (provenance !== undefined) return provenance;
  } finally {
    file.close();
  }
  throw new SaclaError(
    "UNSUPPORTED",
    `${show(path)} does not say how it was made; only files of \`sacla convert\` can be made again.`,
    { details: { path } },
  );
}

/** JSON whose characters are all ASCII: Octave reads nothing more of a file after a text that is marked UTF-8. */
export function asciiJson(value: object): string {
  const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u0080-\uffff]/g, escaped);
}
