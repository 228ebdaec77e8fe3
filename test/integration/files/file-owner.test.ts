import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { FileOwner } from "../../../src/files/index.ts";
import { bundled } from "../../support/bundled.ts";
import { changeClaims } from "../../support/owned-file.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const owners: FileOwner[] = [];
afterEach(() => {
  for (const owner of owners.splice(0)) owner.close();
});
async function claim(...args: Parameters<typeof FileOwner.claim>): Promise<FileOwner> {
  const owner = await FileOwner.claim(...args);
  owners.push(owner);
  return owner;
}

/** A log of claims whose only owner differs from this process, or from this computer, by `changes`. */
async function leftBy(changes: object): Promise<string> {
  const folder = temporaryFolder();
  const owner = await FileOwner.claim(join(folder, "made.owner"), { addresses: ["tcp://127.0.0.1:5555"] });
  copyFileSync(join(folder, "made.owner"), join(folder, "leases.owner"));
  owner.close();
  changeClaims(join(folder, "leases"), changes);
  return join(folder, "leases.owner");
}

describe("a file that one process at a time may have", () => {
  it("is refused while its owner lives, with the owner's process, computer and addresses; nothing is written", async () => {
    const path = join(temporaryFolder(), "leases.owner");
    const owner = await claim(path, { addresses: ["tcp://127.0.0.1:*"] });
    owner.serves(["tcp://127.0.0.1:5555"]);
    const before = readFileSync(path, "utf8");
    await expect(claim(path)).rejects.toMatchObject({
      code: "FILE_IN_USE",
      message: expect.stringMatching(
        /belongs to process \d+ of .*, which runs since .* at tcp:\/\/127\.0\.0\.1:5555\.$/,
      ),
      details: { pid: process.pid, addresses: ["tcp://127.0.0.1:5555"] },
    });
    expect(readFileSync(path, "utf8")).toBe(before);
    owner.check();
    owner.close();
    expect((await claim(path)).takenOver).toEqual([]);
  });

  it("is taken over from an owner that is gone, and this is said", async () => {
    const ended = spawn(process.execPath, ["-e", ""]);
    await once(ended, "exit");
    const far = { beatMs: 20, silenceMs: 100 };
    const rows: readonly [changes: object, said: RegExp][] = [
      [{ pid: ended.pid }, /has ended without giving the file back/],
      [{ startTime: "1" }, /another program has its process id now/],
      [{ host: "other", bootId: "other" }, /of other, .*no sign of life for 0\.1 s/],
      [{ pidNamespace: "pid:[1]" }, /no sign of life/],
    ];
    for (const [changes, said] of rows) {
      const path = await leftBy(changes);
      const owner = await claim(path, far);
      expect([changes, owner.takenOver]).toEqual([changes, [expect.stringMatching(said)]]);
      owner.close();
      expect((await claim(path)).takenOver).toEqual([]);
    }
  });

  it("is taken over at once after the computer was started anew", async () => {
    const path = await leftBy({ bootId: "before" });
    utimesSync(path, 1, 1);
    expect((await claim(path)).takenOver).toEqual([expect.stringContaining("when the computer was started anew")]);
  });

  it("of another computer that gives signs of life is refused", async () => {
    const path = await leftBy({ host: "other", bootId: "other" });
    const beats = setInterval(() => utimesSync(path, Date.now() / 1000, Date.now() / 1000), 10);
    try {
      await expect(claim(path, { beatMs: 50, silenceMs: 5000 })).rejects.toMatchObject({
        code: "FILE_IN_USE",
        details: { host: "other" },
      });
    } finally {
      clearInterval(beats);
    }
  });

  it("gives signs of life while it has an owner", async () => {
    const path = join(temporaryFolder(), "leases.owner");
    await claim(path, { beatMs: 10 });
    utimesSync(path, 1, 1);
    await expect.poll(() => statSync(path).mtimeMs).not.toBe(1000);
  });

  it("is no longer its owner's when another took it for dead, or when the file was deleted", async () => {
    const path = join(temporaryFolder(), "leases.owner");
    const owner = await claim(path);
    const [line = ""] = readFileSync(path, "utf8").split("\n");
    const { claim: mine } = JSON.parse(line) as { claim: { id: string } };
    appendFileSync(path, `${JSON.stringify({ claim: { ...mine, id: "b", host: "other", after: [mine.id] } })}\n`);
    expect(() => owner.check()).toThrow(expect.objectContaining({ code: "FILE_IN_USE" }));
    rmSync(path);
    expect(() => owner.check()).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED", message: expect.stringContaining("deleted or moved") }),
    );
  });

  it("is claimed beside lines that cannot be read", async () => {
    const path = join(temporaryFolder(), "leases.owner");
    writeFileSync(path, '\0\0\0\n{"claim":{"id":7}}\n{"gone":');
    const owner = await claim(path);
    await expect(claim(path)).rejects.toMatchObject({ code: "FILE_IN_USE" });
    owner.check();
  });

  it("goes to one of several processes that start at the same instant, also after a dead owner", async () => {
    const [processes, files] = [4, 25];
    const folder = temporaryFolder();
    const dead = readFileSync(await leftBy({ startTime: "1" }));
    for (let i = 0; i < files; i += 2) writeFileSync(join(folder, `${i}.owner`), dead);
    const program = await bundled(fileURLToPath(new URL("../../support/claim-files.ts", import.meta.url)));
    const children: ChildProcess[] = [];
    const started = () => {
      const child = spawn(process.execPath, [program, folder, String(files), "20"], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      children.push(child);
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      return { child, line: async () => String((await lines.next()).value) };
    };
    try {
      const all = Array.from({ length: processes }, started);
      for (const { line } of all) expect(await line()).toBe("ready");
      // They look at the clock all the time from then on.
      const at = Date.now() + 50;
      for (const { child } of all) child.stdin.write(String(at));
      const results = await Promise.all(all.map(async ({ line }) => JSON.parse(await line()) as string[]));
      for (let i = 0; i < files; i++) {
        const of = results.map((result) => result[i]).sort();
        expect([i, of]).toEqual([i, ["FILE_IN_USE", "FILE_IN_USE", "FILE_IN_USE", "mine"]]);
      }
    } finally {
      for (const child of children) {
        child.stdin?.end();
        if (child.exitCode === null) await once(child, "exit");
      }
    }
  });
});
