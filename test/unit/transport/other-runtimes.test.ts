import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { serve } from "../../../src/server/index.ts";
import { endpointOf } from "../../../src/source/index.ts";
import { inProcess, zmqEndpoint } from "../../../src/transport/index.ts";
import { tinySource } from "../../support/tiny-source.ts";

const versions = Object.getOwnPropertyDescriptor(process, "versions") ?? {};

/** What Deno and Bun say they are; the real ones run `npm run check:package`. */
function pretend(runtime: "deno" | "bun"): void {
  Object.defineProperty(process, "versions", { ...versions, value: { ...process.versions, [runtime]: "1.0.0" } });
}

describe.each(["deno", "bun"] as const)("ZeroMQ in %s", (runtime) => {
  afterEach(() => Object.defineProperty(process, "versions", versions));

  it("is refused before its add-on is loaded, with the address to use", async () => {
    pretend(runtime);
    const refused = { code: "NO_ZEROMQ", message: expect.stringMatching(new RegExp(`${runtime}.*http://`, "i")) };
    await expect(connect("tcp://127.0.0.1:7801")).rejects.toMatchObject(refused);
    await expect(connect("ipc:///nowhere")).rejects.toMatchObject(refused);
    expect(() => zmqEndpoint("tcp://127.0.0.1:7801")).toThrow(expect.objectContaining(refused));
    const endpoint = inProcess(endpointOf(tinySource()));
    await expect(serve(endpoint, { zmq: ["tcp://127.0.0.1:*"] })).rejects.toMatchObject(refused);
  });

  it("leaves the other addresses as they are", async () => {
    pretend(runtime);
    await (await connect("http://127.0.0.1:7801")).close();
  });
});

it("serve refuses an address that is not in a list", async () => {
  const endpoint = inProcess(endpointOf(tinySource()));
  // @ts-expect-error a list is asked for
  await expect(serve(endpoint, { zmq: { url: "tcp://127.0.0.1:*" } })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
});
