import { randomUUID } from "node:crypto";
import { Ec } from "../../src/ec/ec.ts";
import { httpEndpoint } from "../../src/transport/http/client.ts";

/** Requests that the browser sends before all others. */
const first = httpEndpoint(location.origin, { fetch: (input, init) => fetch(input, { ...init, priority: "high" }) });
const urgent = new Ec(first);

/** What became of a STOP. */
export interface Stopped {
  readonly axes: number;
  readonly ms: number;
  readonly failed: readonly string[];
}

/**
 * Stops every axis of a beamline, whoever moves it, and aborts the scan of the server: it would move on at its next
 * point. It needs no lease, and asks nothing first: the axes are known since the page was opened.
 */
export async function stopAxes(bl: number, axes: readonly string[]): Promise<Stopped> {
  const began = performance.now();
  // Without a scan this is refused, which is no fault.
  first.call("page.doScan", { bl, what: "abort" }, { key: randomUUID() }).catch(() => {});
  const outcomes = await Promise.allSettled(axes.map((axis) => urgent.stop(bl, axis)));
  const failed = outcomes.flatMap((outcome, i) =>
    outcome.status === "rejected"
      ? [`${axes[i]}: ${outcome.reason instanceof Error ? outcome.reason.message : ""}`]
      : [],
  );
  return { axes: axes.length, ms: performance.now() - began, failed };
}
