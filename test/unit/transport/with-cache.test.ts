import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import type { CallMethod, CallParams, CallResult } from "../../../src/transport/methods.ts";
import { withCache } from "../../../src/transport/wrappers/with-cache.ts";
import { rounds } from "../../support/full.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { TINY_HIGHTAG, type TinySource, tinySource } from "../../support/tiny-source.ts";

const root = temporaryFolder();
let folders = 0;
const newFolder = (): string => join(root, `${folders++}`);
const of = { bl: 3, run: 10 };
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const hightag = TINY_HIGHTAG;
const column = (tags: Uint32Array) => ({ equipIds: [bm1], hightag, tags });

/** An endpoint over the source that counts what reaches it. */
function counting(source: TinySource): { inner: Endpoint; asked: string[] } {
  const endpoint = inProcess(endpointOf(source));
  const asked: string[] = [];
  const inner: Endpoint = {
    call: async <M extends CallMethod>(method: M, params: CallParams<M>, options?: object): Promise<CallResult<M>> => {
      asked.push(method);
      return await endpoint.call(method, params, options);
    },
    stream: (method, params, options) => endpoint.stream(method, params, options),
    close: () => endpoint.close(),
  };
  return { inner, asked };
}

interface Session {
  readonly endpoint: Endpoint;
  readonly asked: string[];
}

async function open(
  folder: string,
  options: { source?: TinySource; url?: string; maxBytes?: number } = {},
): Promise<Session> {
  const { source = tinySource(), url = "tiny:", maxBytes = 1e6 } = options;
  const { inner, asked } = counting(source);
  return { endpoint: await withCache(inner, { folder, maxBytes, url }), asked };
}

const bytesIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

/** What an analysis asks. */
async function analysis({ endpoint }: Session): Promise<unknown[]> {
  const tags = await endpoint.call("db.readTaglistByrun", of);
  return [
    tags,
    await endpoint.call("db.readRuninfo", of),
    await endpoint.call("db.readHightagnumber", of),
    await endpoint.call("db.readDetidlist", of),
    await endpoint.call("st.readDetectorInfo", { ...of, detId: "MPCCD-2N0-1-006-1" }),
    await endpoint.call("db.readColumns", column(tags)),
    await endpoint.call("db.readSyncdatalist", { equipId: bm1, hightag, tags }),
    await endpoint.call("db.readSyncdatalistFloat", { equipId: bm1, hightag, tags: tags.subarray(2, 4) }),
  ];
}

describe("withCache", () => {
  it("asks the source once for what cannot change, in all later sessions only who it is", async () => {
    const folder = newFolder();
    const truth = await analysis({ endpoint: inProcess(endpointOf(tinySource())), asked: [] });
    const first = await open(folder);
    expect(await analysis(first)).toEqual(truth);
    expect(first.asked.filter((method) => method === "db.readColumns")).toHaveLength(1);
    for (let n = 0; n < 2; n++) {
      const later = await open(folder);
      expect(await analysis(later)).toEqual(truth);
      expect(later.asked).toEqual(["facility.describe"]);
    }
  });

  it("gives each caller arrays of their own", async () => {
    const session = await open(newFolder());
    const tags = await session.endpoint.call("db.readTaglistByrun", of);
    const truth = tags.slice();
    for (let n = 0; n < 3; n++) {
      const again = await session.endpoint.call("db.readTaglistByrun", of);
      expect(again).toEqual(truth);
      again.fill(0);
    }
  });

  it.each([1, 2])("keeps nothing of a run whose status is %i", async (status) => {
    const folder = newFolder();
    const source = tinySource().setStatus(3, 10, status);
    const session = await open(folder, { source });
    await analysis(session);
    await analysis(session);
    expect(session.asked.filter((method) => method === "db.readColumns")).toHaveLength(2);
    expect(readdirSync(folder)).toEqual([]);
    source.setStatus(3, 10, 0).setSignal(bm1, "C", () => 5);
    const later = await open(folder, { source });
    const [, info, , , , columns] = await analysis(later);
    expect([info, columns]).toMatchObject([{ runstatus: 0 }, [{ values: new Float64Array(6).fill(5) }]]);
    expect(readdirSync(folder).length).toBeGreaterThan(5);
  });

  it("keeps nothing of a run that stopped just now, whose last values may still come", async () => {
    const folder = newFolder();
    // The tiny source tells the time by the tag: this run ended a minute ago.
    const start = Math.floor((Date.now() / 1000 - 60 - 1_762_486_057) * 60);
    const source = tinySource().addRun(3, { run: 13, start, images: 4 });
    const { endpoint } = await open(folder, { source });
    const tags = await endpoint.call("db.readTaglistByrun", { bl: 3, run: 13 });
    await endpoint.call("db.readColumns", column(tags));
    expect(readdirSync(folder)).toEqual([]);
  });

  it("keeps values only when it knows that all their tags are of one run that ended", async () => {
    const folder = newFolder();
    const { endpoint, asked } = await open(folder);
    const ask = async (...tags: number[]): Promise<boolean> => {
      const before = asked.length;
      for (let n = 0; n < 2; n++) await endpoint.call("db.readColumns", column(Uint32Array.from(tags)));
      return asked.slice(before).filter((method) => method === "db.readColumns").length === 1;
    };
    expect(await ask(1000, 1002)).toBe(false);
    for (const run of [10, 11, 12]) await endpoint.call("db.readTaglistByrun", { bl: 3, run });
    expect(await ask(1000, 1002)).toBe(true);
    expect(await ask(2000, 2004)).toBe(true);
    // Of two runs; one behind the end of run 10; of the running run; of no shot at all.
    expect([await ask(1010, 2000), await ask(1010, 1012), await ask(3000), await ask()]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it("keeps apart the answers of different sources", async () => {
    const folder = newFolder();
    await analysis(await open(folder));
    const source = tinySource().setSignal(bm1, "C", () => 5);
    const other = await open(folder, { source, url: "other:" });
    expect((await analysis(other))[5]).toMatchObject([{ values: new Float64Array(6).fill(5) }]);
  });

  it("takes a file that is damaged, cut off or of something else for none, and mends it", async () => {
    const folder = newFolder();
    const truth = await analysis(await open(folder));
    const names = readdirSync(folder);
    const whole = names.map((name) => readFileSync(join(folder, name)));
    const damage = fc.record({
      file: fc.nat({ max: names.length - 1 }),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      bits: fc.integer({ min: 1, max: 255 }),
      how: fc.constantFrom("byte", "cut", "swap"),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ file, at, bits, how }) => {
        const name = names[file] ?? "";
        const bytes = Buffer.from(whole[file] ?? []);
        const place = Math.floor(at * bytes.length);
        if (how === "byte") bytes[place] = (bytes[place] ?? 0) ^ bits;
        const other = whole[(file + 1) % whole.length] ?? bytes;
        writeFileSync(join(folder, name), how === "swap" ? other : how === "cut" ? bytes.subarray(0, place) : bytes);
        const session = await open(folder);
        expect(await analysis(session)).toEqual(truth);
        expect(readFileSync(join(folder, name))).toEqual(whole[file]);
      }),
      { numRuns: rounds(60) },
    );
  });

  it("stays within its limit, and forgets first what was not used for longest", async () => {
    const folder = newFolder();
    const maxBytes = 20_000;
    const { endpoint, asked } = await open(folder, { maxBytes });
    const tags = await endpoint.call("db.readTaglistByrun", of);
    const question = (n: number) =>
      column(Uint32Array.from([0, 1, 2, 3, 4, 5].map((digit) => tags[Math.floor(n / 6 ** digit) % 6] ?? 0)));
    for (let n = 1; n <= 120; n++) {
      await endpoint.call("db.readColumns", question(n));
      expect(bytesIn(folder)).toBeLessThanOrEqual(maxBytes);
      await endpoint.call("db.readTaglistByrun", of);
      // What was written or read in this round was last used at second n, so that no clock has to be waited for.
      for (const name of readdirSync(folder))
        if (statSync(join(folder, name)).mtimeMs > 1e6) utimesSync(join(folder, name), n, n);
    }
    expect(bytesIn(folder)).toBeGreaterThan(maxBytes / 2);
    const count = (method: string): number => asked.filter((other) => other === method).length;
    // Used in every round, and so never forgotten.
    expect(count("db.readTaglistByrun")).toBe(1);
    await endpoint.call("db.readColumns", question(1));
    await endpoint.call("db.readColumns", question(120));
    expect(count("db.readColumns")).toBe(121);
  });

  it("serves several at once over one folder, and leaves no half-written file", async () => {
    const folder = newFolder();
    const truth = await analysis({ endpoint: inProcess(endpointOf(tinySource())), asked: [] });
    const sessions = await Promise.all(Array.from({ length: 8 }, () => open(folder, { maxBytes: 10_000 })));
    for (const answers of await Promise.all(sessions.map(analysis))) expect(answers).toEqual(truth);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("answers all the same when nothing can be kept", async () => {
    const { endpoint } = await open(newFolder(), { maxBytes: 0 });
    expect((await endpoint.call("db.readRuninfo", of)).comment).toBe("powder");
    const file = newFolder();
    writeFileSync(file, "not a folder");
    await expect(open(file)).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });
});
