import { fileURLToPath } from "node:url";
import { Dealer } from "zeromq";
import { Random } from "../../src/core/random.ts";
import { encodeMessage } from "../../src/transport/codec.ts";
import { zmqEndpoint } from "../../src/transport/zmq/client.ts";
import { bundled } from "./bundled.ts";
import { ScriptProcess, startOctal } from "./octal-process.ts";
import { OCTAL_BL, OCTAL_HIGHTAG, OCTAL_RUN, octalSensors, octalTag } from "./octal-source.ts";

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Seconds between two lines. */
  readonly every: number;
  readonly say: (line: object) => void;
}

export interface SoakReport {
  readonly seconds: number;
  /** Shots the good client took. */
  readonly shots: number;
  /** Shots that did not come, came out of turn, or were not whole. */
  readonly lost: number;
  /** Small questions asked meanwhile by another client, and the longest wait for one. */
  readonly asked: number;
  readonly slowestMs: number;
  /** Clients that stalled, died, and messages of the flood. */
  readonly stalled: number;
  readonly died: number;
  readonly flooded: number;
  /** Of the server: the most in the first half of the time, and at the end. */
  readonly rssMb: { readonly early: number; readonly late: number };
  /** Connections with something open, when all the others have gone. */
  readonly clientsLeft: number;
}

const SHOTS = 1000;
const tags = Uint32Array.from({ length: SHOTS }, (_, i) => 1000 + 2 * i);
const params = { bl: OCTAL_BL, run: OCTAL_RUN, detIds: [...octalSensors], tags, roi: null };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One server in a process of its own, a client that must not notice anything, and clients that misbehave. */
export async function soak({ seconds, seed, every, say }: SoakOptions): Promise<SoakReport> {
  const server = await startOctal(SHOTS, { silenceMs: 3000 });
  const octalClient = await bundled(fileURLToPath(new URL("octal-client.ts", import.meta.url)));
  const random = new Random(seed);
  const end = performance.now() + 1000 * seconds;
  const isOver = (): boolean => performance.now() >= end;
  const counts = { shots: 0, lost: 0, asked: 0, slowestMs: 0, stalled: 0, died: 0, flooded: 0 };
  const good = zmqEndpoint(server.address);
  const asking = zmqEndpoint(server.address);

  const taking = async (): Promise<void> => {
    while (!isOver()) {
      let next = 0;
      for await (const { tag, frames } of good.stream("st.frames", params)) {
        const isWhole =
          frames.length === octalSensors.length && frames.every(({ detId, data }) => octalTag(detId, data) === tag);
        if (tag !== tags[next++] || !isWhole) counts.lost++;
        counts.shots++;
        if (isOver()) break;
      }
      if (!isOver()) counts.lost += SHOTS - next;
    }
  };
  const questions = async (): Promise<void> => {
    while (!isOver()) {
      const started = performance.now();
      await asking.call("db.readRunstatus", { bl: OCTAL_BL, run: OCTAL_RUN });
      counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - started));
      counts.asked++;
      await pause(20);
    }
  };
  /** Opens a stream and takes nothing more: now and then it goes without a word, else it comes back and leaves. */
  const stalling = async (): Promise<void> => {
    while (!isOver()) {
      const socket = new Dealer({ linger: 0 });
      socket.connect(server.address);
      await socket.send(encodeMessage({ kind: "stream", id: 0, method: "st.frames", value: params, credit: 3 }));
      counts.stalled++;
      await pause(500 + 1500 * random.uniform());
      if (random.uniform() < 0.5) await socket.send(encodeMessage({ kind: "cancel", id: 0 }));
      socket.close();
    }
  };
  const dying = async (): Promise<void> => {
    while (!isOver()) {
      const victim = new ScriptProcess(octalClient, [server.address]);
      await victim.line();
      await pause(200 + 300 * random.uniform());
      victim.kill();
      counts.died++;
      await pause(1000);
    }
  };
  /** Asks far more than is answered, for large answers, and reads little of it. */
  const flooding = async (): Promise<void> => {
    const value = { equipId: "a/b", hightag: OCTAL_HIGHTAG, tags };
    while (!isOver()) {
      const socket = new Dealer({ linger: 0, sendHighWaterMark: 10, sendTimeout: 100, receiveHighWaterMark: 1 });
      socket.connect(server.address);
      for (let id = 0; id < 500 && !isOver(); id++) {
        await socket.send(encodeMessage({ kind: "call", id, method: "db.readSyncdatalist", value })).catch(() => {});
        counts.flooded++;
        await pause(2);
      }
      socket.close();
    }
  };

  let early = 0;
  const watching = async (): Promise<void> => {
    const started = performance.now();
    while (!isOver()) {
      await pause(Math.min(1000 * every, Math.max(0, end - performance.now())));
      const memory = (await server.process.ask()) as { rss: number; clients: number };
      const rssMb = Math.round(memory.rss / 2 ** 20);
      if (performance.now() - started < (1000 * seconds) / 2) early = Math.max(early, rssMb);
      say({ second: Math.round((performance.now() - started) / 1000), rssMb, clients: memory.clients, ...counts });
    }
  };
  try {
    await Promise.all([taking(), questions(), stalling(), dying(), flooding(), watching()]);
    await good.close();
    await asking.close();
    let clientsLeft = Number.NaN;
    for (let i = 0; i < 100 && clientsLeft !== 0; i++) {
      await pause(200);
      clientsLeft = ((await server.process.ask()) as { clients: number }).clients;
    }
    const late = Math.round(((await server.process.ask()) as { rss: number }).rss / 2 ** 20);
    return { seconds, ...counts, rssMb: { early, late }, clientsLeft };
  } finally {
    server.process.kill();
  }
}
