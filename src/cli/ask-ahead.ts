import { Detectors } from "../core/detectors.ts";
import type { Endpoint } from "../transport/endpoint.ts";

/** How long the first picture is waited for: on a busy computer it may take longer, but an address shall come. */
const SECONDS = 5;

/**
 * Asks what the page will ask first, until there is a picture or the reason why there is none: what it needs (places of
 * the pixels, the stream of shots) is ready then. It fails where a token is needed, or where nothing is live.
 */
export async function askAhead(endpoint: Pick<Endpoint, "call">, bl: number, signal: AbortSignal): Promise<void> {
  const ids = await endpoint.call("live.readDetidlist", { bl }, { signal });
  const { id: detId } = new Detectors(ids, "The beamline").largest();
  const look = { dark: null, mean: 1, what: "all", hits: null, region: null, side: 640 } as const;
  const profile = { unit: "r_mm", distanceMm: null, photonEnergyEv: null } as const;
  const asked = { bl, detId, ...look, rois: [], profile, after: null, waitMs: 1000 };
  for (let n = 0; n < SECONDS; n++) {
    const { frame, error, quiet } = await endpoint.call("page.live", asked, { signal });
    if (frame !== null || error !== null || quiet !== null) return;
  }
}
