import { describe, expect, it } from "vitest";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { withNames } from "../../../src/transport/wrappers/with-names.ts";

const names = {
  signalId: (name: string) => (name === "i0" ? "xfel_bl_3_tc_bm_1_pd/charge" : name),
  detectorId: (name: string) => (name === "octal" ? "MPCCD-8N0-3-002" : name),
};

/** Keeps what it is asked, and answers nothing. */
function listening(): { inner: Endpoint; asked: unknown[]; isClosed: () => boolean } {
  const asked: unknown[] = [];
  let closed = false;
  const inner: Endpoint = {
    call: async (method, params) => {
      asked.push([method, params]);
      return undefined as never;
    },
    stream: (method, params) => {
      asked.push([method, params]);
      return (async function* () {})() as never;
    },
    close: async () => {
      closed = true;
    },
  };
  return { inner, asked, isClosed: () => closed };
}

describe("withNames", () => {
  it("translates names of signals in calls, alone and in lists, and leaves ids and the caller's object alone", async () => {
    const { inner, asked } = listening();
    const endpoint = withNames(inner, names);
    const params = { equipIds: ["i0", "a/b"], hightag: 1, tags: Uint32Array.of(2) };
    await endpoint.call("db.readColumns", params);
    expect(asked).toEqual([["db.readColumns", { ...params, equipIds: ["xfel_bl_3_tc_bm_1_pd/charge", "a/b"] }]]);
    expect(params.equipIds).toEqual(["i0", "a/b"]);
    await endpoint.call("db.readTagnumberNewest", { equipId: "i0" });
    expect(asked[1]).toEqual(["db.readTagnumberNewest", { equipId: "xfel_bl_3_tc_bm_1_pd/charge" }]);
  });

  it("gives the names to who asks, and closes what is inside", async () => {
    const { inner, isClosed } = listening();
    const endpoint = withNames(inner, names);
    expect(endpoint.names).toBe(names);
    await endpoint.close();
    expect(isClosed()).toBe(true);
  });

  it("hands on the error of a name that is not known, before anything is asked", async () => {
    const { inner, asked } = listening();
    const endpoint = withNames(inner, {
      ...names,
      signalId: (name) => {
        throw new Error(`unknown ${name}`);
      },
    });
    await expect(endpoint.call("db.readTagnumberNewest", { equipId: "io" })).rejects.toThrow("unknown io");
    expect(asked).toEqual([]);
  });
});
