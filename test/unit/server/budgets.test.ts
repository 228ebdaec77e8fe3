import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import { checkBudget, ItemBudget, MOST_ITEM_BYTES, MOST_VALUES } from "../../../src/server/budgets.ts";
import { SentItems } from "../../../src/server/sent-items.ts";
import { loopbackClient, Service } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { jsonPieces, toJsonForm } from "../../../src/transport/http/json-form.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { packedPieces, packParts } from "../../../src/transport/packed.ts";
import { TINY_HIGHTAG, tinySource } from "../../support/tiny-source.ts";

const never = { signal: new AbortController().signal };
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `signal ${i}`);

describe("the budget of a request", () => {
  it("is signals × tags, and the refusal says how to ask in parts", () => {
    const ask = (signals: number, tags: number): void =>
      checkBudget("db.readColumns", { equipIds: names(signals), hightag: 1, tags: new Uint32Array(tags) });
    ask(20, MOST_VALUES / 20);
    expect(() => ask(220, 100_000)).toThrow(
      expect.objectContaining({ code: "TOO_LARGE", details: { ask: { tags: 9090 }, asked: 100_000 } }),
    );
    ask(220, 9090);
    expect(() => ask(1001, 1)).toThrow(expect.objectContaining({ details: { ask: { equipIds: 1000 }, asked: 1001 } }));
  });

  it("bounds the names of detectors before anything is looked up, and the pixels of one item", async () => {
    const asked: string[] = [];
    const tiny = endpointOf(tinySource());
    const endpoint: Endpoint = {
      call: (method, params, options) => tiny.call(method, params, options),
      stream: (method, params, options) => {
        asked.push(method);
        return tiny.stream(method, params, options);
      },
      close: () => tiny.close(),
    };
    const items = new Service(endpoint).stream(
      loopbackClient,
      { method: "st.frames", value: { bl: 3, run: 10, detIds: names(257), tags: Uint32Array.of(1), roi: null } },
      never,
    );
    await expect(items.next()).rejects.toMatchObject({ code: "TOO_LARGE", details: { ask: { detIds: 256 } } });
    expect(asked).toEqual([]);
    const budget = new ItemBudget("st.frames", undefined);
    const quarter = MOST_ITEM_BYTES / 16;
    for (let item = 0; item < 3; item++) {
      budget.begin();
      for (const id of names(4)) expect(budget.memory(id, quarter, "float32")).toHaveLength(quarter);
    }
    expect(() => budget.memory("one more", 1, "uint16")).toThrow(
      expect.objectContaining({ code: "TOO_LARGE", details: { ask: { detIds: 4 } } }),
    );
  });
});

it("streams together hold a bounded memory for frames that nobody takes, given back when they end", () => {
  const halfGiB = 2 ** 27;
  const streams = [new SentItems(1), new SentItems(1), new SentItems(1)];
  const [first, second, third] = streams;
  first?.memory("a", halfGiB, "float32");
  second?.memory("a", halfGiB, "float32");
  expect(() => third?.memory("a", 1, "float32")).toThrow(expect.objectContaining({ code: "TOO_MANY_REQUESTS" }));
  first?.free();
  expect(third?.memory("a", 1, "float32")).toHaveLength(1);
  expect(() => first?.memory("a", 1, "float32")).toThrow(expect.objectContaining({ code: "TOO_MANY_REQUESTS" }));
  for (const stream of streams) stream.free();
});

describe("a client", () => {
  /** As a server that answers only so many tags, signals and detectors at once. */
  function stingy(most: Readonly<Record<string, number>>): { endpoint: Endpoint; asked: number[] } {
    const tiny = endpointOf(tinySource());
    const asked: number[] = [];
    const check = (params: unknown): void => {
      for (const [name, many] of Object.entries(most)) {
        const list = (params as Record<string, ArrayLike<unknown> | undefined>)[name];
        if (list !== undefined && list.length > many)
          throw new SaclaError("TOO_LARGE", "Too much.", { details: { ask: { [name]: many } } });
      }
    };
    const endpoint: Endpoint = {
      call: async (method, params, options) => {
        check(params);
        asked.push(1);
        return await tiny.call(method, params, options);
      },
      stream: async function* (method, params, options) {
        check(params);
        asked.push(1);
        yield* tiny.stream(method, params, options);
      },
      close: () => tiny.close(),
    };
    return { endpoint, asked };
  }

  it("asks in the parts it is told, and gives one answer", async () => {
    const whole = inProcess(endpointOf(tinySource()));
    const { endpoint, asked } = stingy({ tags: 3, equipIds: 1, detIds: 1 });
    const parted = inProcess(endpoint);
    const [equipId] = await whole.call("db.readEquiplist", {});
    const tags = await whole.call("db.readTaglistByrun", { bl: 3, run: 10 });
    const one = { equipId: equipId ?? "", hightag: TINY_HIGHTAG, tags };
    const many = { equipIds: [one.equipId, one.equipId], hightag: TINY_HIGHTAG, tags };
    expect(tags.length).toBeGreaterThan(3);
    for (const method of ["db.readSyncdatalist", "db.readSyncdatalistFloat", "db.readTimestamps"] as const)
      expect(await parted.call(method, one)).toEqual(await whole.call(method, one));
    expect(await parted.call("db.readColumns", many)).toEqual(await whole.call("db.readColumns", many));
    expect(asked.length).toBe(5 * Math.ceil(tags.length / 3));
    const frames = {
      bl: 3,
      run: 10,
      detIds: ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2", "MPCCD-1N0-M06-002"],
      tags: tags.slice(0, 3),
      roi: null,
    };
    const read = async (from: Endpoint) => {
      const items: unknown[] = [];
      for await (const item of from.stream("st.frames", frames)) items.push(structuredClone(item));
      return items;
    };
    expect(await read(parted)).toEqual(await read(whole));
    expect(await read(parted)).toHaveLength(3);
    await parted.close();
    await whole.close();
  });
});

describe("a large answer in pieces", () => {
  const value = {
    text: 'a "quoted" text',
    numbers: Float64Array.from({ length: 60_000 }, (_, i) => (i % 1000 === 7 ? NaN : i / 3)),
    empty: new Uint8Array(0),
    list: [1, null, undefined, "x", [], {}, { inner: -Infinity, left: undefined }],
  };

  it("is the same JSON", () => {
    const pieces = [...jsonPieces(value, "data: ", "\n\n")];
    expect(pieces.length).toBeGreaterThan(3);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(200_000);
    expect(pieces.join("")).toBe(`data: ${JSON.stringify(toJsonForm(value))}\n\n`);
    for (const small of [null, 0, "", [], {}, NaN])
      expect([...jsonPieces(small)].join("")).toBe(JSON.stringify(toJsonForm(small)));
  });

  it("is the same packed message, in memory of its own", () => {
    const parts = [300_000, 7, 0, 600_001].map((length, n) =>
      Uint8Array.from({ length }, (_, i) => (i * (n + 1)) % 251),
    );
    const pieces = [...packedPieces(parts)];
    const whole = packParts(parts);
    parts[0]?.fill(0);
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
    expect(pieces.length).toBeGreaterThan(4);
    expect([...packedPieces([Uint8Array.of(1)])]).toEqual([packParts([Uint8Array.of(1)])]);
  });
});
