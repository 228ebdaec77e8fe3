import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AppendLog, readLog } from "../../../src/files/append-log.ts";
import { createFile, renameWhole, replaceFile } from "../../../src/files/replace-file.ts";
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

  it("takes nothing from a process that slept while another took it over", () => {
    const path = join(folder, "e.journal");
    const asleep = AppendLog.create(path, { first: 1 });
    const { log } = AppendLog.open(path);
    log.append({ second: 2 });
    expect(() => asleep.append({ late: 1 })).toThrow(expect.objectContaining({ code: "FILE_IN_USE" }));
    log.append({ third: 3 });
    asleep.close();
    log.close();
    expect(AppendLog.open(path).lines).toEqual([{ first: 1 }, { second: 2 }, { third: 3 }]);
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

describe("a log that several processes append to", () => {
  it("is made when it is not there, keeps every line and ends the line that a crash cut off", () => {
    const path = join(folder, "e.jsonl");
    const one = AppendLog.join(path, 0o600);
    const two = AppendLog.join(path);
    one.append({ a: 1 });
    two.append({ b: 2 });
    for (const log of [one, one, two]) log.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    appendFileSync(path, '{"c":{"d":1}');
    const again = AppendLog.join(path);
    again.append({ e: 5 });
    again.close();
    expect(readFileSync(path, "utf8")).toBe('{"a":1}\n{"b":2}\n{"c":{"d":1}\n{"e":5}\n');
    expect(readLog("The log", path).map(({ line, value }) => [line, value])).toEqual([
      [1, { a: 1 }],
      [2, { b: 2 }],
      [4, { e: 5 }],
    ]);
    expect(readLog("The log", join(folder, "none"))).toEqual([]);
    expect(() => readLog("The log", folder)).toThrow(expect.objectContaining({ code: "FILE_NOT_FOUND" }));
    expect(() => again.append({ late: 1 })).toThrow(expect.objectContaining({ code: "WRITE_FAILED" }));
  });

  it("leaves out every beginning of a line, and shows what is no JSON for another reason", () => {
    const whole = JSON.stringify({ text: 'a "quoted} \\', list: [{ n: 1 }, {}], end: { deep: { er: "}" } } });
    const path = join(folder, "f.jsonl");
    const cuts = Array.from({ length: whole.length - 1 }, (_, i) => whole.slice(0, i + 1));
    writeFileSync(path, `${cuts.join("\n")}\n{"bit": rot}\n\0\0\0\n${whole}`);
    const lines = readLog("The log", path);
    expect(lines.map(({ text }) => text)).toEqual(['{"bit": rot}', "\0\0\0", whole]);
    expect(lines.map(({ value }) => value)).toEqual([undefined, undefined, JSON.parse(whole)]);
  });

  it("is on the disk when sync() resolves, also the one of another caller that is under way", async () => {
    const log = AppendLog.join(join(folder, "g.jsonl"));
    log.append({ a: 1 });
    const first = log.sync();
    await Promise.all([first, log.sync()]);
    expect(log.isDirty).toBe(false);
    log.append({ b: 1 });
    const last = log.sync();
    log.close();
    await last;
  });
});

describe("a file that is replaced", () => {
  it("has the old content or the new one, its mode, and leaves nothing beside it", () => {
    const inner = mkdtempSync(join(folder, "replace-"));
    const path = join(inner, "a.json");
    replaceFile(path, "old");
    replaceFile(path, "new", 0o600);
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777, readdirSync(inner)]).toEqual([
      "new",
      0o600,
      ["a.json"],
    ]);
    expect(() => replaceFile(join(inner, "none", "a"), "")).toThrow(/its folder is not there/);
    expect(() => replaceFile(inner, "")).toThrow(/it is a folder; name a file/);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("that is new never takes the place of another", () => {
    const path = join(folder, "client.json");
    createFile(path, "mine", 0o600);
    expect(() => createFile(path, "other")).toThrow(expect.objectContaining({ code: "FILE_EXISTS" }));
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["mine", 0o600]);
  });

  it("that was written step by step gets its name when it is complete", async () => {
    const [part, path] = [join(folder, "big.part"), join(folder, "big")];
    writeFileSync(part, "complete");
    await renameWhole(part, path);
    expect([existsSync(part), readFileSync(path, "utf8")]).toEqual([false, "complete"]);
    await expect(renameWhole(part, path)).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });
});
