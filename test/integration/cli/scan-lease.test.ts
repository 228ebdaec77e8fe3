import { join } from "node:path";
import { expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq } from "../../../src/server/zmq-server.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { type CliResult, cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const axis = "bl3_st2_pm001";
let count = 0;

/** A scan of five points that loses its lease after the second one. */
async function scanWithoutLease(...args: readonly string[]): Promise<CliResult & { readonly endpoint: Endpoint }> {
  const { endpoint } = await connect("sim:?clock=virtual");
  let lease = "";
  const call: Endpoint["call"] = async (method, params, options) => {
    const answer = await endpoint.call(method, params, options);
    if (method === "lease.take") ({ lease } = answer as { lease: string });
    return answer;
  };
  const watched: Endpoint = {
    call,
    stream: (method, params, options) => endpoint.stream(method, params, options),
    close: () => endpoint.close(),
  };
  const server = await serveZmq(new Service(watched), `ipc://${join(folder, `scan${count++}`)}`);
  let given: Promise<unknown> | undefined;
  const scan = ["scan", axis, "11000", "11400", "5", "--shots", "5", "--shutter", "bl3_shutter1", "--yes"];
  const result = await cli([...scan, "--signal", "xfel_bl_3_tc_bm_1_pd/charge", ...args, "--url", server.address], {
    onErr: (text) => {
      if (text.includes("point 2 of 5")) given ??= endpoint.call("lease.release", { bl: 3, lease });
    },
  });
  await given;
  await server.close();
  return { ...result, endpoint };
}

it("a scan that loses its lease ends with LEASE_LOST and code 1, after the table of the points that are done", async () => {
  const journal = join(folder, "lost.journal");
  const { code, out, err, endpoint } = await scanWithoutLease("--journal", journal);
  expect([code, err]).toEqual([1, expect.stringMatching(/error LEASE_LOST: [\s\S]*/)]);
  expect(err).toContain(`go on later with: sacla resume ${journal}`);
  const rows = out.split("\n").filter((line) => /^ *\d+ /.test(line));
  expect(rows.length).toBeGreaterThanOrEqual(2);
  expect(rows.length).toBeLessThan(5);
  expect(rows[1]).toContain("11100");
  expect(out).toMatch(new RegExp(`failed: ${rows.length} points are done\n$`));
  expect(await endpoint.call("lease.holder", { bl: 3 })).toBeNull();
  await endpoint.close();
});

it("with --json they are in the details of the error", async () => {
  const { code, out, endpoint } = await scanWithoutLease("--json");
  expect(code).toBe(1);
  const { error } = JSON.parse(out) as {
    error: { code: string; details: { points: number; columns: { name: string; values: number[] }[] } };
  };
  expect(error.code).toBe("LEASE_LOST");
  expect(error.details.points).toBeGreaterThanOrEqual(2);
  expect(error.details.points).toBeLessThan(5);
  const positions = error.details.columns.find(({ name }) => name.startsWith(axis))?.values;
  expect(positions?.slice(0, 2)).toEqual([11_000, 11_100]);
  expect(positions).toHaveLength(error.details.points);
  await endpoint.close();
});
