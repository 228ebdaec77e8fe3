import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect } from "vitest";
import { connect, Facility } from "../../src/connect.ts";
import { asImage } from "../../src/core/ndarray.ts";
import type { HttpServer } from "../../src/server/http-server.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { isControlMethod } from "../../src/transport/control-methods.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { type CallMethod, type CallParams, callMethods, streamMethods } from "../../src/transport/methods.ts";
import { isPageMethod } from "../../src/transport/page-methods.ts";
import { zmqEndpoint } from "../../src/transport/zmq/client.ts";
import { gatewayOver, gatewayPython, itWithGateway, startGateway } from "../support/gateway.ts";
import { httpServer } from "../support/http.ts";
import { liveTinySource } from "../support/live-tiny-source.ts";
import { tiny } from "../support/subjects.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinySource } from "../support/tiny-source.ts";
import { endpointContract } from "./endpoint-contract.ts";

let address: Promise<string> | undefined;
let served: HttpServer | undefined;
afterAll(async () => await served?.close());

/** A gateway whose dbpy and stpy are those of the package sacla_python, over the tiny source. */
const open = async (): Promise<Endpoint> => {
  address ??= httpServer(endpointOf(liveTinySource())).then((server) => {
    served = server;
    return gatewayOver(server.address);
  });
  return zmqEndpoint(await address);
};

if (gatewayPython === undefined) itWithGateway("the Endpoint contract over the Python gateway", async () => {});
else endpointContract({ ...tiny, name: "the Python gateway", open });

describe("the Python gateway", () => {
  const of = { bl: 3, run: 10 };
  const signals = [
    "xfel_bl_3_tc_bm_1_pd/charge",
    "xfel_bl_3_st_2_motor_1/position",
    "xfel_bl_3_shutter_1_open_valid/status",
  ];

  itWithGateway("answers with the numbers of the source behind its dbpy and stpy", async () => {
    const gateway = await open();
    const memory = inProcess(endpointOf(tinySource()));
    const tags = await memory.call("db.readTaglistByrun", of);
    const hightag = 202502;
    const questions: { [M in CallMethod]?: CallParams<M>[] } = {
      "db.listRuns": [
        { bl: 3, last: 2 },
        { bl: 2, last: 100 },
      ],
      "db.readRunstatus": [10, 11, 12, 13].map((run) => ({ bl: 3, run })),
      "db.readEndTagnumber": [of, { bl: 2, run: 5 }],
      "db.readTaglistBydetid": [{ ...of, detId: "MPCCD-2N0-1-006-2" }],
      "db.readTaglist": [{ bl: 3, hightag, starttag: 1004, endtag: 2002 }],
      "db.readTagnumberNewest": signals.map((equipId) => ({ equipId })),
      "db.readSyncdatalistFloat": signals.map((equipId) => ({ equipId, hightag, tags })),
      "db.readColumns": [{ equipIds: signals, hightag, tags }],
      "db.readEquiplist": [{}],
      "db.readDetidlist": [of],
      "db.readTimestampFromtag": [{ hightag, tag: 1002, equipId: signals[0] ?? "" }],
      "db.readTimestamps": [{ hightag, tags, equipId: signals[0] ?? "" }],
      "db.readHightagnumberFromtime": [
        { time: "12:00:00", day: 1, month: 3, year: 2018 },
        { time: "1:2:3", day: 7, month: 11, year: 2025 },
      ],
      "st.readDetectorInfo": ["MPCCD-2N0-1-006-2", "MPCCD-1N0-M06-002", "OPAL-234363"].map((detId) => ({
        ...of,
        detId,
      })),
      "st.collect": [{ detId: "MPCCD-2N0-1-006-1", bl: 3, runs: [11, 10], tag: 1008 }],
    };
    for (const [method, asked] of Object.entries(questions) as [CallMethod, CallParams<CallMethod>[]][]) {
      for (const params of asked) {
        const expected = await memory.call(method, params);
        expect(await gateway.call(method, params), `${method} ${JSON.stringify(params)}`).toEqual(expected);
      }
    }
    const roi = { rows: [1, 3] as [number, number], columns: [0, 2] as [number, number] };
    const params = { ...of, detIds: ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"], tags, roi };
    const shots = async (endpoint: Endpoint) => {
      const all = [];
      for await (const shot of endpoint.stream("st.frames", params)) all.push(structuredClone(shot));
      return all;
    };
    expect(await shots(gateway)).toEqual(await shots(memory));
    await gateway.close();
  });

  itWithGateway(
    "says which methods of the table it can answer, and gives the facility's own words in the details of an error",
    async () => {
      const gateway = await open();
      const { name, methods } = await gateway.call("facility.describe", {});
      expect(name).toContain("dbpy tiny 1.0");
      const table = [...Object.keys(callMethods), ...Object.keys(streamMethods)];
      expect(methods.filter((method) => !table.includes(method))).toEqual([]);
      // The facility's Python modules give no timing edges (they come as its CSV files) and name no files; the page is
      // served apart.
      const others = table.filter((method) => !isControlMethod(method) && !isPageMethod(method));
      expect(others.filter((method) => !methods.includes(method))).toEqual([
        "db.readTimingEdges",
        "st.readImageOffsets",
        "st.readImageStates",
        "st.readBadPixels",
      ]);
      await expect(gateway.call("db.readRuninfo", { bl: 3, run: 99 })).rejects.toMatchObject({
        code: "UNKNOWN_RUN",
        details: {
          function: "dbpy.read_runinfo",
          type: "APIError",
          args: [-100000002, expect.stringMatching(/^UNKNOWN_RUN/)],
        },
      });
      await gateway.close();
    },
  );

  itWithGateway("gives CITIUS images through ctdapy_xfel, which fills the caller's arrays", async () => {
    await using facility = new Facility(zmqEndpoint(await startGateway()));
    const { ctdapyXfel } = facility.st;
    expect(await ctdapyXfel.getRunstatus(2, 5)).toBe(ctdapyXfel.CTDA_RUN_STATUS_CAN_READ);
    expect(await ctdapyXfel.getRunstatus(3, 10)).toBe(ctdapyXfel.CTDA_RUN_STATUS_NOT_CITIUS);
    const buffer = new ctdapyXfel.CtrlBuffer(2, 5);
    expect(await buffer.readSensoridlist()).toEqual([4, 7]);
    const stack = await buffer.newStack();
    await buffer.readImages(stack, 501);
    expect([stack.get(0, 9, 9), stack.get(1, 727, 383)]).toEqual([Math.fround(501.4), Math.fround(501.7)]);
    const masks = await buffer.readBadpixelMasks();
    expect([masks.get(1, 0, 0), masks.get(1, 0, 1)]).toEqual([1, 0]);
    const [info] = await buffer.detectorInfos();
    expect(info).toMatchObject({
      id: "CITIUS-2.2M-001-004",
      xsize: 384,
      ysize: 728,
      absGain: 1,
      geometry: { posXUm: 4000, rotationDeg: 90 },
    });
    const shots = facility.shots({ run: { bl: 2, number: 5 }, detectors: ["CITIUS-2.2M-001"], prefetch: 0 });
    for await (const shot of shots)
      expect(Object.keys(shot.images)).toEqual(["CITIUS-2.2M-001-004", "CITIUS-2.2M-001-007"]);
    expect(shots.ledger).toMatchObject({ asked: 4, used: 3 });
    await expect(buffer.readImage(asImage(new Float32Array(728 * 384), 728, 384), 4, 502)).rejects.toMatchObject({
      code: "FRAME_MISSING",
    });
  });

  itWithGateway("lets in a client with the keys that docs/remote-access.md makes, and nobody else", async () => {
    const cwd = temporaryFolder();
    const text = readFileSync(new URL("../../docs/remote-access.md", import.meta.url), "utf8");
    const recipe = /```python\n(.*?)```/s.exec(text)?.[1] ?? "";
    execFileSync(gatewayPython ?? "", ["-c", recipe], { cwd });
    const url = await startGateway([
      "--curve-server-key",
      join(cwd, "gateway.key_secret"),
      "--curve-clients",
      join(cwd, "clients"),
    ]);
    const known = await connect(url, { keyFile: join(cwd, "laptop.json") });
    expect(await known.db.readComment(3, 10)).toBe("powder");
    await known.close();
    const stranger = zmqEndpoint(url, { connectTimeoutMs: 1000 });
    await expect(stranger.call("db.readComment", of)).rejects.toMatchObject({
      code: expect.stringMatching(/^(NOT_AUTHENTICATED|UNREACHABLE)$/),
    });
    await stranger.close();
  });
});
