import { existsSync, linkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AppendLog } from "../../../src/scan/append-log.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

describe("a log that only grows", () => {
  it("is there with its first line or not at all, and never replaces another", () => {
    const path = join(folder, "a.journal");
    const log = AppendLog.create(path, { first: 1 });
    log.append({ second: 2 });
    log.close();
    expect(existsSync(`${path}.new`)).toBe(false);
    expect(() => AppendLog.create(path, { first: 3 })).toThrow(expect.objectContaining({ code: "FILE_EXISTS" }));
    expect(AppendLog.open(path).lines).toEqual([{ first: 1 }, { second: 2 }]);
    expect(() => AppendLog.create(join(folder, "none", "a"), {})).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED" }),
    );
  });

  it("killed between its name and the end of its making, it loses nothing to whoever begins anew", () => {
    const path = join(folder, "b.journal");
    AppendLog.create(path, { first: 1 }).close();
    // What a kill leaves: the name beside is a second name of the same file.
    linkSync(path, `${path}.new`);
    expect(() => AppendLog.create(path, { other: 1 })).toThrow(expect.objectContaining({ code: "FILE_EXISTS" }));
    expect(readFileSync(path, "utf8")).toBe('{"first":1}\n');
    const { log } = AppendLog.open(path);
    log.close();
    expect(existsSync(`${path}.new`)).toBe(false);
    // Killed before it had its name: the next one begins as if nothing had been.
    const early = join(folder, "c.journal");
    writeFileSync(`${early}.new`, '{"half');
    AppendLog.create(early, { first: 1 }).close();
    expect([readFileSync(early, "utf8"), existsSync(`${early}.new`)]).toEqual(['{"first":1}\n', false]);
  });

  it("drops a last line that was cut short", () => {
    const path = join(folder, "d.journal");
    const log = AppendLog.create(path, { first: 1 });
    log.close();
    writeFileSync(path, '{"first":1}\n{"sec');
    const again = AppendLog.open(path);
    again.log.append({ third: 3 });
    again.log.close();
    expect(readFileSync(path, "utf8")).toBe('{"first":1}\n{"third":3}\n');
  });
});
