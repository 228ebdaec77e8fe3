import { join } from "node:path";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import type { Io } from "../../../src/cli/io.ts";
import { LiveView } from "../../../src/cli/live-view.ts";
import { runCli } from "../../../src/cli/program.ts";
import { connect } from "../../../src/connect.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import type { LiveShot } from "../../../src/live/index.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq } from "../../../src/server/zmq-server.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

const url = "sim:?speed=10&missing=0";
const camera = "OPAL-234363";

describe("sacla live", () => {
  it("follows the beam and writes a picture of the mean, one line each time in a pipe", async () => {
    const { code, out, files } = await cli([
      "live",
      "--url",
      url,
      "-d",
      camera,
      "-n",
      "8",
      "--every",
      "0",
      "-s",
      "xfel_bl_3_st_2_motor_1/position",
    ]);
    expect(code).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines.length).toBe(9);
    expect(lines[3]).toMatch(
      /^run 15200\d\d {2}tag \d+ {2}[\d.]+ shots\/s {2}latency \d+ ms \(max \d+\) {2}4 used.* {2}mean [\d.]+ ADU, raw {2}\S+ \d+\S* pulse$/,
    );
    expect(lines[8]).toMatch(/^8 of \d+ shots used.*; picture: live-bl3-OPAL-234363.png$/);
    const png = files.get(`live-bl3-${camera}.png`);
    expect(PNG.sync.read(Buffer.from(png ?? "")).width).toBeGreaterThan(100);
  });

  it("assembles several sensors, and gives one JSON object to machines", async () => {
    const { code, out, files } = await cli([
      "live",
      "--url",
      url,
      "-d",
      "MPCCD-2N0-M02-001",
      "-n",
      "2",
      "--json",
      "-o",
      "here.png",
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ bl: 3, detector: "MPCCD-2N0-M02-001", used: 2, picture: "here.png" });
    // No run near the newest has this one.
    expect(JSON.parse(out)).toMatchObject({ dark: null });
    expect([...files.keys()]).toEqual(["here.png"]);
  });

  it("takes the dark of the newest run that has some off, but where nothing is to be", async () => {
    const sensor = ["live", "--url", url, "-d", "MPCCD-8N0-3-002-1", "-n", "1"];
    const { out } = await cli(sensor);
    expect(out).toMatch(/mean -?[\d.]+ ADU, less dark of run 15\d{5}\n/);
    expect(JSON.parse((await cli([...sensor, "--no-dark", "--json"])).out)).toMatchObject({ dark: null });
  });

  it("says on the terminal that no shot comes, and ends at Ctrl+C with the account and code 0", async () => {
    const controller = new AbortController();
    let [out, err] = ["", ""];
    const io: Io = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
        if (text.includes("no shot for")) controller.abort();
      },
      isTerminal: true,
      env: {},
      signal: controller.signal,
      writeFile: () => {},
    };
    expect(await runCli(["live", "--url", "sim:?clock=virtual", "-d", camera], io)).toBe(0);
    expect(out).toBe("0 of 0 shots used\n");
    expect(err).toContain("waiting for shots");
  });

  it("says, in a pipe too, that no shot comes because no run is on: the first move has ended the one that was", async () => {
    const stop = new AbortController();
    await using facility = await connect("sim:");
    const { endpoint } = facility;
    const { lease } = await endpoint.call("lease.take", { bl: 3, name: "me", reason: "test", ttlMs: 60_000 });
    await endpoint.call("ec.move", { bl: 3, lease, axis: "bl3_st2_pm001", pulses: 1000 });
    await endpoint.call("ec.stop", { bl: 3, axis: "bl3_st2_pm001" });
    const server = await serveZmq(new Service(endpoint), `ipc://${join(folder, "live")}`);
    const command = cli(["live", "-d", camera, "--url", server.address], {
      signal: stop.signal,
      onErr: () => stop.abort(),
    });
    expect(await command).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^no shot for \d+ s: no run is on, 15200\d\d has ended; see sacla run start\n$/),
    });
    await server.close();
  });

  it("says what there is instead of an unknown detector, and what to do where nothing is live", async () => {
    const unknown = await cli(["live", "--url", url, "-d", "MPCCD-9"]);
    expect([unknown.code, unknown.err.includes("MPCCD-2N0-M02-001")]).toEqual([1, true]);
    const archive = await cli(["live", "--url", new URL("../../../fixtures/tiny-octal.h5", import.meta.url).pathname]);
    expect([archive.code, archive.err.includes("sacla replay-live RUN")]).toEqual([1, true]);
  });
});

describe("what sacla live counts", () => {
  const shot = (tag: number, pixels: number[], latencyMs: number): LiveShot => ({
    hightag: 1,
    tag,
    run: 7,
    time: 0,
    latencyMs,
    images: { A: asImage(Uint16Array.from(pixels), 2, 2) },
    value: () => ({ reason: "missing" }),
    number: () => NaN,
  });

  it("is the mean less the dark, the share of hits, latency and rate since the last picture", () => {
    const dark = { A: asImage(Float64Array.of(1, 2, 3, 4), 2, 2) };
    const view = new LiveView({ dark, hitAdu: 5, hitPixels: 2 }, 1000);
    view.add(shot(1, [1, 2, 3, 4], 100), 1500);
    view.add(shot(2, [11, 12, 3, 4], 300), 2000);
    expect(view.window(3000)).toEqual({
      shots: 2,
      perSecond: 1,
      latencyMs: 200,
      maxLatencyMs: 300,
      meanAdu: 2.5,
      hitShare: 0.5,
    });
    expect([...(view.means()["A"]?.data ?? [])]).toEqual([5, 5, 0, 0]);
    view.restart(3000);
    expect(view.window(4000)).toMatchObject({ shots: 0, perSecond: 0, hitShare: null });
    expect(view.means()).toEqual({});
    view.add(shot(3, [1, 2, 3, 4], 50), 4000);
    expect([...(view.means()["A"]?.data ?? [])]).toEqual([0, 0, 0, 0]);
  });
});
