/** The bare zeromq side of bench/zmq.ts: the same bytes with the least possible around them. `zmq-bare.ts [curve]` */
import { createInterface } from "node:readline";
import { curveKeyPair, Router } from "zeromq";

const pair = curveKeyPair();
const curve = process.argv[2] === "curve" ? { curveServer: true, curveSecretKey: pair.secretKey } : {};
const router = new Router({ linger: 0, sendTimeout: 0, ...curve });
await router.bind("tcp://127.0.0.1:*");
console.log(JSON.stringify({ address: router.lastEndpoint, serverKey: pair.publicKey }));

/** As many as the client grants credit for, or a frame that is being sent would be written again. */
const slots = Array.from({ length: 4 }, () => Array.from({ length: 8 }, () => new Uint16Array(512 * 1024)));
const images = Array.from({ length: 8 }, (_, i) => new Uint16Array(512 * 1024).fill(95 + i));
const header = Buffer.from(JSON.stringify({ sacla: 1, kind: "item", id: 0, seq: 0, value: "x".repeat(700) }));
let shot = 0;

void (async () => {
  for await (const [client, text] of router) {
    if (client === undefined || text === undefined) continue;
    const wanted = Number(text.toString());
    if (Number.isNaN(wanted)) {
      await router.send([client, text]);
      continue;
    }
    for (let i = 0; i < wanted; i++, shot++) {
      const frames = slots[shot % slots.length] ?? [];
      for (const [k, frame] of frames.entries()) frame.set(images[(shot + k) % 8] ?? []);
      await router.send([client, header, ...frames.map((frame) => new Uint8Array(frame.buffer))]);
    }
  }
})();
for await (const _ of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ cpu: process.cpuUsage() }));
router.close();
