import { describe, expect, it } from "vitest";
import { ServerMetrics } from "../../../src/server/metrics.ts";

describe("metrics", () => {
  it("count by method and outcome; names that clients make up are one", async () => {
    const metrics = new ServerMetrics();
    metrics.observe("db.listRuns", 2, "ok");
    metrics.observe("db.listRuns", 20, "ok");
    metrics.observe("db.listRuns", 2, "UNKNOWN_BEAMLINE");
    for (let i = 0; i < 100; i++) metrics.observe(`made.up${i}`, 1, "UNKNOWN_METHOD");
    metrics.openStreams(1);
    metrics.openStreams(1);
    metrics.openStreams(-1);
    metrics.sentBytes(1000);
    const text = await metrics.text();
    const value = (name: string): number =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length),
      );
    expect(value('sacla_requests_total{method="db.listRuns",outcome="ok"}')).toBe(2);
    expect(value('sacla_requests_total{method="db.listRuns",outcome="UNKNOWN_BEAMLINE"}')).toBe(1);
    expect(value('sacla_requests_total{method="unknown",outcome="UNKNOWN_METHOD"}')).toBe(100);
    expect(value('sacla_request_seconds_bucket{le="0.003",method="db.listRuns"}')).toBe(2);
    expect(value('sacla_request_seconds_sum{method="db.listRuns"}')).toBeCloseTo(0.024, 6);
    expect(value("sacla_open_streams")).toBe(1);
    expect(value("sacla_sent_bytes_total")).toBe(1000);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(2 ** 20);
    expect(text).not.toContain("made.up");
  });

  it("are each server's own", async () => {
    const [one, two] = [new ServerMetrics(), new ServerMetrics()];
    one.sentBytes(5);
    expect(await two.text()).toContain("sacla_sent_bytes_total 0");
  });
});
