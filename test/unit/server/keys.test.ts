import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { curveKeyPair } from "zeromq";
import { Keys, newCurveKey, newToken, revokeKey } from "../../../src/server/keys.ts";
import { keyBytes } from "../../../src/transport/zmq/keys.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const root = temporaryFolder();
let used = 0;
/** A new folder, so that what is left behind can be seen. */
function place(): { folder: string; path: string } {
  const folder = join(root, String(used++));
  mkdirSync(folder);
  return { folder, path: join(folder, "keys.json") };
}

describe("the file of keys", () => {
  it("knows the clients by their tokens, and keeps no token", () => {
    const { path, folder } = place();
    const reader = newToken(path, "reader", "read");
    const controller = newToken(path, "Controller 2@beamline", "control");
    expect(reader.token).toMatch(/^sacla_[a-z0-9]{8}_[\w-]{43}$/);
    const keys = Keys.open(path);
    expect(keys.clientOfToken(reader.token)).toEqual({ name: "reader", role: "read" });
    expect(keys.clientOfToken(controller.token)).toEqual({ name: "Controller 2@beamline", role: "control" });
    const text = readFileSync(path, "utf8");
    for (const { token } of [reader, controller]) {
      expect(text).not.toContain(token);
      expect(text).not.toContain(token.slice(15));
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["keys.json"]);
    expect(keys.list()).toEqual([reader.entry, controller.entry]);
  });

  it("has another salt and hash for every token", () => {
    const { path } = place();
    for (let i = 0; i < 5; i++) newToken(path, `client ${i}`, "read");
    const { keys } = JSON.parse(readFileSync(path, "utf8")) as { keys: { id: string; salt: string; hash: string }[] };
    for (const field of ["id", "salt", "hash"] as const) expect(new Set(keys.map((key) => key[field])).size).toBe(5);
  });

  it("forgets a revoked key at once, also in a server that runs", () => {
    const { path } = place();
    const [one, two] = [newToken(path, "one", "read"), newToken(path, "two", "read")];
    const running = Keys.open(path);
    expect(revokeKey(path, "one")).toEqual(one.entry);
    expect([running.clientOfToken(one.token), running.clientOfToken(two.token)]).toEqual([
      null,
      { name: "two", role: "read" },
    ]);
    revokeKey(path, two.entry.id);
    expect([running.clientOfToken(two.token), running.list()]).toEqual([null, []]);
    expect(() => revokeKey(path, "one")).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const three = newToken(path, "three", "control");
    expect(running.clientOfToken(three.token)).toEqual({ name: "three", role: "control" });
  });

  it("lets nobody in when it has gone or is damaged while a server runs", () => {
    const { path } = place();
    const { token } = newToken(path, "one", "read");
    const running = Keys.open(path);
    const good = readFileSync(path);
    writeFileSync(path, "{");
    expect(() => running.clientOfToken(token)).toThrow(expect.objectContaining({ code: "BAD_TEXT" }));
    rmSync(path);
    expect(() => running.clientOfToken(token)).toThrow(expect.objectContaining({ code: "FILE_NOT_FOUND" }));
    writeFileSync(path, good, { mode: 0o600 });
    expect(running.clientOfToken(token)).not.toBeNull();
  });

  it("is refused when others can read it or it is something else", () => {
    const { path } = place();
    expect(() => Keys.open(path)).toThrow(
      expect.objectContaining({ code: "FILE_NOT_FOUND", message: expect.stringContaining("sacla keys new") }),
    );
    newToken(path, "one", "read");
    chmodSync(path, 0o640);
    expect(() => Keys.open(path)).toThrow(
      expect.objectContaining({ code: "NOT_ALLOWED", message: expect.stringContaining("chmod 600") }),
    );
    expect(() => newToken(path, "two", "read")).toThrow(expect.objectContaining({ code: "NOT_ALLOWED" }));
    chmodSync(path, 0o600);
    const stored = JSON.parse(readFileSync(path, "utf8")) as { keys: Record<string, unknown>[] };
    const [key = {}] = stored.keys;
    for (const wrong of [
      { ...key, role: "admin" },
      { ...key, hash: "" },
      { ...key, hash: 7 },
      { ...key, kind: "password" },
      { ...key, name: undefined },
      null,
    ]) {
      writeFileSync(path, JSON.stringify({ ...stored, keys: [wrong] }), { mode: 0o600 });
      expect(() => Keys.open(path), JSON.stringify(wrong)).toThrow(expect.objectContaining({ code: "BAD_TEXT" }));
    }
    for (const text of ["", "null", "[]", '{"saclaKeys":2,"keys":[]}']) {
      writeFileSync(path, text);
      expect(() => Keys.open(path)).toThrow(expect.objectContaining({ code: "BAD_TEXT" }));
    }
  });

  it("takes only names that are safe in a log, each once", () => {
    const { path } = place();
    newToken(path, "one", "read");
    for (const name of ["", " ", "one", "a\nb", "\u001b[2J", "x".repeat(65), "-x"]) {
      expect(() => newToken(path, name, "read"), name).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    expect(() => newToken(path, "two", "admin" as "read")).toThrow(/one of read, control/);
    expect(Keys.open(path).list().length).toBe(1);
  });

  it("is changed by one at a time, and stays as it was when a change fails", () => {
    const { path, folder } = place();
    newToken(path, "one", "read");
    const before = readFileSync(path, "utf8");
    writeFileSync(`${path}.tmp`, "");
    expect(() => newToken(path, "two", "read")).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED", message: expect.stringContaining("at work") }),
    );
    rmSync(`${path}.tmp`);
    expect(() => newCurveKey(path, "two", "read", join(folder, "no", "such", "folder"))).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED" }),
    );
    expect(() => newToken(join(folder, "no", "keys.json"), "two", "read")).toThrow(
      expect.objectContaining({ code: "WRITE_FAILED" }),
    );
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual([before, ["keys.json"]]);
  });
});

describe("CURVE keys", () => {
  it("are pairs as ZeroMQ makes them: the public key belongs to the secret one", () => {
    const { path, folder } = place();
    const file = join(folder, "client.key");
    const entry = newCurveKey(path, "node", "control", file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const client = JSON.parse(readFileSync(file, "utf8")) as Record<"serverKey" | "publicKey" | "secretKey", string>;
    const keys = Keys.open(path);
    expect(client.serverKey).toBe(keys.server.publicKey);
    expect(keys.clientOfCurve(client.publicKey)).toEqual({ name: "node", role: "control" });
    expect(keys.clientOfCurve(curveKeyPair().publicKey)).toBeNull();
    expect(keys.list()).toEqual([entry]);
    expect(readFileSync(path, "utf8")).not.toContain(client.secretKey);
    for (const key of [client.publicKey, client.secretKey, keys.server.secretKey])
      expect(keyBytes("key", key).length).toBe(32);
    expect(() => newCurveKey(path, "other", "read", file)).toThrow(expect.objectContaining({ code: "FILE_EXISTS" }));
    expect(existsSync(file)).toBe(true);
  });
});
