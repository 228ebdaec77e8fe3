import { expect, it } from "vitest";
import { ClientConnection, type SendOutcome } from "../../../src/server/client-connection.ts";
import { loopbackClient, Service } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { decodeMessage } from "../../../src/transport/codec.ts";
import { tinySource } from "../../support/tiny-source.ts";

it("an answer that waited and then cannot be sent at all is logged and left out; those behind it are sent", async () => {
  const logged: string[] = [];
  const note = (_: object, text: string): void => {
    logged.push(text);
  };
  const logger = { debug: note, info: note, warn: note, error: note };
  const sent: unknown[] = [];
  const outcomes: (SendOutcome | Error)[] = ["full", new Error("no such thing"), "sent"];
  const connection = new ClientConnection(
    () => loopbackClient,
    new Service(endpointOf(tinySource()), { logger }),
    async (parts) => {
      const outcome = outcomes.shift() ?? "sent";
      if (outcome instanceof Error) throw outcome;
      if (outcome === "sent") sent.push(decodeMessage(parts, { copy: true }));
      return outcome;
    },
  );
  connection.receive({ kind: "ping", id: 1 }, 10);
  await expect.poll(() => connection.isBlocked).toBe(true);
  connection.receive({ kind: "ping", id: 2 }, 10);
  await connection.flush();
  expect([sent, connection.isBlocked]).toEqual([[{ kind: "pong", id: 2 }], false]);
  expect(logged).toEqual(["an answer could not be sent"]);
});
