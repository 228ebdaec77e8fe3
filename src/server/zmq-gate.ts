import type { Context } from "zeromq";
import { toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { loadZeromq } from "../transport/zmq/load.ts";

/** Who may connect to the sockets of one context. */
export interface ZmqGate {
  /** The security mechanism that every client must greet with. */
  readonly mechanism: "NULL" | "CURVE";
  /** The name of the client with this public key (undefined with NULL); null refuses the connection. */
  admit(publicKey: Uint8Array | undefined): string | null;
}

/** Options of a socket that asks a {@link ZmqGate} about each connection. */
export const behindGate = { zapDomain: "sacla", zapEnforceDomain: true } as const;

/**
 * Answers the question of libzmq who may connect (ZAP, ZeroMQ RFC 27), for sockets with the options
 * {@link behindGate}. Sockets without keys need it too: a socket without a ZAP domain also accepts the greetings of
 * ZMTP 1.0 and 2.0, which name no mechanism. Nearly any bytes are such a greeting, also the HTTP request of a page in a
 * browser, whose body could then hold messages. With a domain libzmq closes these connections.
 *
 * @returns closes the gate: then nobody new can connect
 */
export async function openGate(context: Context, gate: ZmqGate, logger: Logger): Promise<() => void> {
  const { Reply } = await loadZeromq();
  const socket = new Reply({ context, linger: 0 });
  const answer = async (): Promise<void> => {
    for await (const [version, request, , address, , mechanism, publicKey] of socket) {
      const name = mechanism?.toString() === gate.mechanism ? gate.admit(publicKey) : null;
      if (name === null) logger.warn({ address: address?.toString() }, "a client with an unknown key was refused");
      const verdict = name === null ? ["400", "unknown key", ""] : ["200", "OK", name];
      await socket.send([version ?? "1.0", request ?? "", ...verdict, ""]);
    }
  };
  try {
    await socket.bind("inproc://zeromq.zap.01");
  } catch (error) {
    socket.close();
    throw error;
  }
  answer().catch((error: unknown) => {
    logger.error({ error: toSaclaError(error).message }, "no new client can be let in any more");
  });
  return () => socket.close();
}
