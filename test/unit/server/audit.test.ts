import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openAudit } from "../../../src/server/audit.ts";
import { type AuditEntry, type AuditLog, Service } from "../../../src/server/service.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { changingTable, movingEndpoint } from "../../support/changing-table.ts";
import { itNeeding } from "../../support/optional.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const entry = (key: string, value: unknown = { to: 1 }): AuditEntry => ({
  time: "2026-11-22T14:00:00.000Z",
  client: "shift leader",
  role: "control",
  method: "test.move",
  value,
  key,
  outcome: "asked",
});
const linesOf = (path: string): unknown[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);

describe("the audit", () => {
  it("is a file of JSON lines for its owner alone, on the disk when write() resolves, and only added to", async () => {
    const path = join(folder, "one.jsonl");
    const audit = await openAudit(path);
    await Promise.all(Array.from({ length: 50 }, (_, i) => audit.write(entry(String(i)))));
    expect(linesOf(path)).toEqual(Array.from({ length: 50 }, (_, i) => entry(String(i))));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await audit.close();
    await audit.close();
    const again = await openAudit(path);
    await again.write(entry("line\nbreak", { x: NaN, array: Float32Array.of(1, Infinity) }));
    await again.close();
    expect(linesOf(path).length).toBe(51);
    expect(linesOf(path).at(-1)).toMatchObject({
      key: "line\nbreak",
      value: { x: { $number: "NaN" }, array: [1, { $number: "Infinity" }] },
    });
  });

  it("does not let half a line of a crash swallow the next", async () => {
    const path = join(folder, "torn.jsonl");
    writeFileSync(path, `${JSON.stringify(entry("whole"))}\n{"time":"2026-`);
    const audit = await openAudit(path);
    await audit.write(entry("after"));
    await audit.close();
    const lines = readFileSync(path, "utf8").split("\n");
    expect(JSON.parse(lines.find((line) => line.includes("after")) ?? "")).toEqual(entry("after"));
    expect(lines[1]).toBe('{"time":"2026-');
  });

  it("cannot be opened or written without a coded error", async () => {
    await expect(openAudit(join(folder, "no", "such", "folder"))).rejects.toMatchObject({ code: "WRITE_FAILED" });
    const audit = await openAudit(join(folder, "closed.jsonl"));
    await audit.close();
    await expect(audit.write(entry("late"))).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });
});

describe("a changing call", () => {
  const move = (audit: AuditLog) => {
    const { endpoint, moves } = movingEndpoint();
    const service = new Service(endpoint, { audit }, changingTable);
    const options = { signal: new AbortController().signal };
    return {
      moves,
      call: () =>
        service.call(
          { name: "anna", role: "control" },
          { method: "test.move", value: { to: 5 }, key: `k${Math.random()}` },
          options,
        ),
    };
  };

  itNeeding(
    existsSync("/dev/full"),
    "needs /dev/full",
    "is refused when it cannot be written down: the disk is full",
    async () => {
      const audit = await openAudit("/dev/full");
      const { moves, call } = move(audit);
      await expect(call()).rejects.toMatchObject({ code: "WRITE_FAILED", message: expect.stringContaining("audit") });
      expect(moves).toEqual([]);
      await audit.close();
    },
  );

  it("is written before it is done, and again when it has ended", async () => {
    const order: string[] = [];
    const { moves, call } = move({
      write: async ({ outcome }) => {
        order.push(`${outcome} after ${moves.length} moves`);
      },
    });
    expect(await call()).toBe(5);
    expect(order).toEqual(["asked after 0 moves", "ok after 1 moves"]);
  });

  it("is written without the secret of the lease, also when it is refused", async () => {
    const written: AuditEntry[] = [];
    const audit: AuditLog = {
      write: async (line) => {
        written.push(line);
      },
    };
    const seen: unknown[] = [];
    const { endpoint } = movingEndpoint();
    const call = async (_: string, params: unknown): Promise<unknown> => {
      seen.push(params);
      return {};
    };
    const service = new Service({ ...endpoint, call: call as Endpoint["call"] }, { audit });
    const value = { bl: 3, lease: "the secret", axis: "x", pulses: 5 };
    const close = { bl: 3, lease: null, shutter: "s", open: false };
    const options = { signal: new AbortController().signal };
    await service.call({ name: "anna", role: "control" }, { method: "ec.move", value, key: "1" }, options);
    await service.call({ name: "anna", role: "control" }, { method: "ec.setShutter", value: close, key: "2" }, options);
    await expect(
      service.call({ name: "ben", role: "read" }, { method: "ec.move", value, key: "3" }, options),
    ).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    const hidden = { ...value, lease: "(hidden)" };
    expect(written.map((line) => line.value)).toEqual([hidden, hidden, close, close, hidden]);
    expect(seen).toEqual([value, close]);
  });

  it("is answered even when its end cannot be written: it has been done", async () => {
    const { moves, call } = move({
      write: async ({ outcome }) => {
        if (outcome !== "asked") throw new Error("no space");
      },
    });
    expect([await call(), moves]).toEqual([5, [5]]);
  });
});
