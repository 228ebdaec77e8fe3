import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { connect } from "../../../src/connect.ts";
import { Keys, newCurveKey } from "../../../src/server/keys.ts";
import { serve } from "../../../src/server/serve.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { withRecording } from "../../../src/transport/wrappers/with-recording.ts";
import { runProgram } from "../../support/cli.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const folder = temporaryFolder();

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("connect", () => {
  it("reaches a server over tcp, ipc and http, and a recording", async () => {
    const endpoint = inProcess(endpointOf(tinySource()));
    await using server = await serve(endpoint, {
      zmq: ["tcp://127.0.0.1:*", `ipc://${join(folder, "socket")}`],
      http: { host: "127.0.0.1", port: 0 },
    });
    const path = join(folder, "one.recording");
    const recorded = await withRecording(inProcess(endpointOf(tinySource())), path);
    await recorded.call("db.readComment", { bl: 3, run: 10 });
    await recorded.close();
    expect(server.addresses.map((address) => address.split(":")[0])).toEqual(["tcp", "ipc", "http"]);
    for (const address of [...server.addresses, `recording:${path}`]) {
      await using facility = await connect(address);
      expect(await facility.db.readComment(3, 10), address).toBe("powder");
    }
  });

  it.each([
    "tcp://me:secret@127.0.0.1:7801",
    "http://me:secret@127.0.0.1/",
    "https://127.0.0.1/?token=secret",
    "ipc:///tmp/a#secret",
  ])("refuses secrets in an address and does not repeat them: %s", async (address) => {
    const error: unknown = await connect(address).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "BAD_URL", message: expect.stringContaining("SACLA_TOKEN") });
    expect(JSON.stringify([String(error), error])).not.toContain("secret");
  });

  it("takes the keys from a file that only its owner can read, and never shows them", async () => {
    const key = (letter: string) => letter.repeat(40);
    const path = join(folder, "client.json");
    const open = (text: string, mode = 0o600) => {
      writeFileSync(path, text);
      chmodSync(path, mode);
      return connect("tcp://127.0.0.1:7801", { keyFile: path });
    };
    const good = JSON.stringify({ serverKey: key("a"), publicKey: key("b"), secretKey: key("c") });
    await (await open(good)).close();
    await expect(open(good, 0o644)).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    for (const text of [
      "{",
      "null",
      JSON.stringify({ serverKey: key("a"), publicKey: key("b") }),
      JSON.stringify({ serverKey: key("a"), publicKey: key("b"), secretKey: "SECRET" }),
    ]) {
      const error: unknown = await open(text).catch((cause: unknown) => cause);
      expect(error, text).toMatchObject({ code: "BAD_TEXT" });
      expect(JSON.stringify([String(error), error])).not.toContain("SECRET");
    }
    vi.stubEnv("SACLA_KEY_FILE", join(folder, "none.json"));
    await expect(connect("tcp://127.0.0.1:7801")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(connect("recording:")).rejects.toMatchObject({ code: "BAD_URL" });
  });

  it("reaches a server that wants keys with the file that sacla keys makes, and not without", async () => {
    const [serverFile, clientFile] = [join(folder, "keys.json"), join(folder, "new-client.json")];
    newCurveKey(serverFile, "laptop", "read", clientFile);
    await using server = await serve(inProcess(endpointOf(tinySource())), {
      zmq: ["tcp://127.0.0.1:*"],
      keys: Keys.open(serverFile),
    });
    await using known = await connect(server.addresses[0], { keyFile: clientFile });
    expect(await known.db.readComment(3, 10)).toBe("powder");
    await using unknown = await connect(server.addresses[0], { retry: { attempts: 1 } });
    await expect(
      unknown.endpoint.call("db.readComment", { bl: 3, run: 10 }, { timeoutMs: 2000 }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/UNREACHABLE|TIMEOUT|NOT_AUTHENTICATED/),
    });
  });

  it("sends the token of the environment, and that of the options rather", async () => {
    const tokens: (string | null)[] = [];
    vi.stubGlobal("fetch", async (_url: string, init: RequestInit) => {
      tokens.push(new Headers(init.headers).get("authorization"));
      return new Response(null, { status: 401 });
    });
    vi.stubEnv("SACLA_TOKEN", "from-the-environment");
    for (const options of [{}, { token: "from-the-options" }]) {
      await using facility = await connect("http://127.0.0.1:1", options);
      await expect(facility.db.readComment(3, 10)).rejects.toMatchObject({ code: "NOT_AUTHENTICATED" });
    }
    vi.unstubAllGlobals();
    expect(tokens).toEqual(["Bearer from-the-environment", "Bearer from-the-options"]);
  });

  it("loads ZeroMQ only for its own addresses", async () => {
    const program = join(folder, "loads.mts");
    const source = JSON.stringify(join(import.meta.dirname, "../../../src/index.ts"));
    writeFileSync(
      program,
      `import { connect } from ${source};
       const isLoaded = () => JSON.stringify(process.report.getReport().sharedObjects).includes("zeromq");
       await (await connect("sim:")).close();
       await (await connect("http://127.0.0.1:1")).close();
       const before = isLoaded();
       const facility = await connect("ipc:///tmp/no-such-socket-of-sacla", { retry: { attempts: 1 } });
       await facility.endpoint.call("db.listBeamlines", {}, { timeoutMs: 50 }).catch(() => {});
       // The call may be given up before the library is there.
       for (let n = 0; n < 200 && !isLoaded(); n++) await new Promise((resolve) => setTimeout(resolve, 50));
       await facility.close();
       console.log(before, isLoaded());`,
    );
    const { out, err } = await runProgram(folder, program, []);
    expect([out.trim(), err]).toEqual(["false true", ""]);
  });
});
