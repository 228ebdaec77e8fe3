import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sacla } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();

describe("the command in a process of its own", () => {
  it("follows runs as they end, one JSON object a line, until Ctrl+C", async () => {
    let isSent = false;
    const { code, out, err } = await sacla(
      folder,
      ["runs", "--follow", "--json", "--url", "sim:?speed=20"],
      {},
      (child, text) => {
        // Once: a second Ctrl+C ends it at once.
        if (!isSent && text.split("\n").length > 2) isSent = child.kill("SIGINT");
      },
    );
    const runs = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { run: number; status: number });
    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 0));
    expect((runs[1]?.run ?? 0) - (runs[0]?.run ?? 0)).toBe(1);
    expect([code, err]).toEqual([130, "stopped\n"]);
  });

  it("takes SACLA_URL, and leaves no file behind when it fails or is stopped", async () => {
    const failed = await sacla(folder, ["average", "7"], { SACLA_URL: "sim:?clock=virtual" });
    expect([failed.code, failed.out]).toEqual([1, ""]);
    expect(failed.err).toContain("UNKNOWN_RUN");
    const bad = await sacla(folder, ["runs"], { SACLA_URL: "sim:?sead=7" });
    expect([bad.code, bad.err.includes("BAD_URL"), bad.err.includes("seed")]).toEqual([2, true, true]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("ends with the result, not with a connection that keeps the process alive", async () => {
    const started = performance.now();
    const { code, out } = await sacla(folder, ["runs", "--json"]);
    expect([code, JSON.parse(out)]).toMatchObject([0, { bl: 3 }]);
    expect(performance.now() - started).toBeLessThan(60_000);
  });
});
