import type { CallOptions } from "../../core/async.ts";
import type { Ledger } from "../../core/ledger.ts";
import type { ConvertRequest, ResolvedRequest } from "../request.ts";
import type { ConvertSource, OutputImage } from "../write/plan.ts";
import { planConversion } from "./planning.ts";
import { resolveRequest } from "./resolve.ts";

/** What a conversion would write. */
export interface ConvertPreview {
  /** The request with every default spelt out. */
  readonly request: ResolvedRequest;
  /** Every shot of the run: to be read, or left out with the reason. */
  readonly ledger: Ledger;
  /** The images of one shot; rows and columns in pixels. */
  readonly images: readonly Pick<OutputImage, "kind" | "id" | "rows" | "columns" | "type">[];
  readonly signals: readonly string[];
  readonly signalsLeftOut: readonly string[];
  /** Bytes of all images before compression, if none is missing. */
  readonly imageBytes: number;
  /** Room wanted on the disk while it works: for what was read, and for the file. */
  readonly diskBytes: number;
}

/**
 * What {@link convert} would write, without reading an image or touching the disk.
 * @throws what `convert` throws for a request that cannot be fulfilled
 * @example
 * const { ledger, diskBytes } = await previewConversion(facility, { bl: 3, run: 206178, shots: "on" });
 */
export async function previewConversion(
  source: ConvertSource,
  request: ConvertRequest,
  options: CallOptions = {},
): Promise<ConvertPreview> {
  const plan = await planConversion(source, resolveRequest(request), options);
  const imageBytes = plan.tags.length * plan.images.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    request: plan.request,
    ledger: plan.selection,
    images: plan.images.map(({ kind, id, rows, columns, type }) => ({ kind, id, rows, columns, type })),
    signals: plan.signals.map(({ id }) => id),
    signalsLeftOut: plan.signalsLeftOut,
    imageBytes,
    diskBytes: 2 * imageBytes,
  };
}
