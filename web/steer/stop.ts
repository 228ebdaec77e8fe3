import { randomUUID } from "node:crypto";
import { Ec } from "../../src/ec/ec.ts";
import { httpEndpoint } from "../../src/transport/http/client.ts";

/** Requests that the browser sends before all others, and that do not wait with the other calls of the page. */
const first = httpEndpoint(location.origin, { fetch: (input, init) => fetch(input, { ...init, priority: "high" }) });
const urgent = new Ec(first);

/**
 * Stops every axis of a beamline, whoever moves it, and aborts the scan of the server: it would move on at its next
 * point. One request does it; it needs no lease, and asks nothing first.
 * @returns how long it took, milliseconds
 */
export async function stopAxes(bl: number): Promise<number> {
  const began = performance.now();
  const stopped = urgent.stop(bl, null);
  // Without a scan this is refused, which is no fault.
  first.call("page.doScan", { bl, what: "abort" }, { key: randomUUID() }).catch(() => {});
  await stopped;
  return performance.now() - began;
}
