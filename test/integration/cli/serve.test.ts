import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli } from "../../support/fake-io.ts";
import { cases } from "../../support/full.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

async function failure(...args: string[]): Promise<[code: number, error: string]> {
  const { code, err } = await cli(args, { signal: AbortSignal.abort() });
  return [code, err];
}

describe("sacla keys", () => {
  it("makes, lists and revokes clients; a token is shown once, by new alone", async () => {
    const keys = path("keys.json");
    const made = await cli(["keys", "new", "laptop", "--keys", keys, "--json"]);
    const { token, ...entry } = JSON.parse(made.out) as { token: string; id: string };
    expect([made.code, entry]).toMatchObject([0, { name: "laptop", role: "read", kind: "token" }]);
    const text = await cli(["keys", "new", "shift leader", "--role", "control", "--keys", keys]);
    expect(text.out).toMatch(/shift leader, role control/);
    expect(text.out).toMatch(/\n {2}sacla_[a-z0-9]{8}_[\w-]{43}\n/);
    const node = await cli(["keys", "new", "node", "--curve", path("node.key"), "--keys", keys]);
    expect(node.out).toContain(`SACLA_KEY_FILE=${path("node.key")}`);
    const listed = await cli(["keys", "list", "--keys", keys]);
    expect(listed.out).toMatch(/laptop +read +token/);
    expect(listed.out).toMatch(/shift leader +control +token/);
    expect(listed.out).toMatch(/node +read +curve/);
    const { secretKey, serverKey } = JSON.parse(readFileSync(path("node.key"), "utf8")) as {
      secretKey: string;
      serverKey: string;
    };
    for (const secret of [token, token.slice(15), secretKey]) expect(listed.out).not.toContain(secret);
    expect(listed.out).toContain(serverKey);
    expect(JSON.parse((await cli(["keys", "revoke", "laptop", "--keys", keys, "--json"])).out)).toEqual(entry);
    const { keys: left } = JSON.parse((await cli(["keys", "list", "--keys", keys, "--json"])).out) as {
      keys: { name: string }[];
    };
    expect(left.map(({ name }) => name)).toEqual(["shift leader", "node"]);
  });

  it("says what is wrong", async () => {
    const keys = path("other.json");
    expect(await failure("keys", "list", "--keys", keys)).toEqual([1, expect.stringContaining("FILE_NOT_FOUND")]);
    expect(await failure("keys", "new", "x", "--role", "admin", "--keys", keys)).toEqual([
      2,
      expect.stringContaining("read, control"),
    ]);
    expect(await failure("keys", "new", "a/b", "--keys", keys)).toEqual([2, expect.stringContaining("BAD_ARGUMENT")]);
    await cli(["keys", "new", "x", "--keys", keys]);
    expect(await failure("keys", "revoke", "y", "--keys", keys)).toEqual([2, expect.stringContaining("(x)")]);
  });
});

describe("sacla serve", () => {
  it("and sacla view take the source from sacla.json, as other commands do", async () => {
    mkdirSync(path("config/sacla"), { recursive: true });
    writeFileSync(path("config/sacla/sacla.json"), JSON.stringify({ url: "sim:?clock=virtual&seed=7" }));
    const io = { signal: AbortSignal.abort(), env: { XDG_CONFIG_HOME: path("config") } };
    const served = await cli(["serve", "--http", "127.0.0.1:0"], io);
    expect(served.out).toMatch(/^serving sim:\?clock=virtual&seed=7;/);
    const viewed = await cli(["view", "--no-open", "--port", "0"], io);
    expect(viewed.out).toMatch(/^sim:\?clock=virtual&seed=7 in a browser/);
    writeFileSync(path("config/sacla/sacla.json"), JSON.stringify({ experiment: "none.json" }));
    const missing = await cli(["view", "sim:?clock=virtual", "--no-open", "--port", "0"], io);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("config/sacla/none.json")]);
  });

  it("serves on loopback, says how each address is used, and ends with 0 when stopped", async () => {
    const { code, out, err } = await cli(
      ["serve", "sim:?clock=virtual", "--http", "127.0.0.1:0", "--zmq", "tcp://127.0.0.1:*"],
      {
        signal: AbortSignal.abort(),
      },
    );
    expect(code).toBe(0);
    expect(out).toMatch(
      /^serving sim:\?clock=virtual; stop with Ctrl\+C\n {2}SACLA_URL=tcp:\/\/127\.0\.0\.1:\d+ sacla runs --bl 3\n {2}SACLA_URL=http:\/\/127\.0\.0\.1:\d+ sacla runs --bl 3\n {2}curl "http:/,
    );
    const logged = err
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(logged.map(({ msg }) => msg)).toContain("serving");
  });

  it("refuses a detector that is not live before it says that it serves", async () => {
    const bridge = ["--karabo-bridge", "tcp://127.0.0.1:*", "--karabo-detector", "WRONG"];
    const { code, out, err } = await cli(["serve", "sim:?clock=virtual", "--http", "127.0.0.1:0", ...bridge]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/UNKNOWN_DETECTOR.*has no detector WRONG; it has /);
    expect(err).not.toContain('"serving"');
  });

  it("needs keys beyond loopback, and with them says that a token or key file is needed", async () => {
    expect(await failure("serve", "sim:?clock=virtual", "--http", "0.0.0.0:0")).toEqual([
      1,
      expect.stringContaining("NOT_ALLOWED"),
    ]);
    expect(await failure("serve", "sim:?clock=virtual", "--zmq", "tcp://0.0.0.0:*")).toEqual([
      1,
      expect.stringContaining("NOT_ALLOWED"),
    ]);
    const keys = path("beyond.json");
    await cli(["keys", "new", "x", "--keys", keys]);
    const { code, out, err } = await cli(["serve", "sim:?clock=virtual", "--http", "0.0.0.0:0", "--keys", keys], {
      signal: AbortSignal.abort(),
    });
    expect([code, out]).toEqual([0, expect.stringContaining("SACLA_TOKEN=… SACLA_URL=http://")]);
    expect(out).not.toContain("0.0.0.0");
    expect(err).toContain("readable");
  });

  it("says clearly why it cannot start", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const sim = "sim:?clock=virtual";
    expect(await failure("serve", sim, "--http", `127.0.0.1:${port}`)).toEqual([
      1,
      expect.stringMatching(/UNREACHABLE: .*another program listens/),
    ]);
    expect(await failure("serve", sim, "--zmq", `tcp://127.0.0.1:${port}`)).toEqual([
      1,
      expect.stringMatching(/UNREACHABLE: .*another program listens/),
    ]);
    expect(await failure("serve", sim, "--zmq", "5555")).toEqual([2, expect.stringContaining("tcp://HOST:PORT")]);
    await new Promise((resolve) => other.close(resolve));
    for (const address of cases(["5580", "127.0.0.1", "127.0.0.1:http", "http://127.0.0.1:5580"], 0)) {
      expect(await failure("serve", sim, "--http", address), address).toEqual([
        2,
        expect.stringContaining("HOST:PORT"),
      ]);
    }
    expect(await failure("serve", sim, "--http", "127.0.0.1:99999")).toEqual([
      2,
      expect.stringContaining("BAD_ARGUMENT"),
    ]);
    // Without a Ctrl+C, which would come before the source is opened in its process.
    const nonsense = await cli(["serve", "nonsense:", "--http", "127.0.0.1:0"]);
    expect([nonsense.code, nonsense.err]).toEqual([2, expect.stringContaining("BAD_URL")]);
    expect(await failure("serve", sim, "--http", "127.0.0.1:0", "--keys", path("none.json"))).toEqual([
      1,
      expect.stringContaining("FILE_NOT_FOUND"),
    ]);
    expect(await failure("serve", sim, "--http", "127.0.0.1:0", "--audit", path("no/audit"))).toEqual([
      1,
      expect.stringContaining("WRITE_FAILED"),
    ]);
    expect(await failure("serve", sim, "--http", "127.0.0.1:0", "--tls-cert", path("c.pem"))).toEqual([
      2,
      expect.stringContaining("--tls-key"),
    ]);
    expect(
      await failure("serve", sim, "--http", "127.0.0.1:0", "--tls-cert", path("c.pem"), "--tls-key", path("k.pem")),
    ).toEqual([1, expect.stringContaining("FILE_NOT_FOUND")]);
  });
});
