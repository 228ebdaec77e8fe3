/**
 * ZeroMQ on one machine, server and client in processes of their own: shots of an octal received, and received,
 * calibrated and assembled; columns; the round trip of a small call. Beside it the same bytes over bare zeromq.
 * `npm run bench:zmq -- [seconds of each] [rounds]`. Short turns in alternating order, medians. On a machine that
 * others use too, read the CPU columns: what server and client were busy for each step, and how many steps two cores
 * could do.
 */
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { Assembler } from "sacla";
import { curveKeyPair, Dealer } from "zeromq";
import { zmqEndpoint } from "../src/transport/zmq/client.ts";
import { bundled } from "../test/support/bundled.ts";
import { ScriptProcess, startOctal } from "../test/support/octal-process.ts";
import { OCTAL_BL, OCTAL_HIGHTAG, OCTAL_RUN, octalSensors } from "../test/support/octal-source.ts";
import { octal } from "../test/unit/ip/octal.ts";

const seconds = Number(process.argv[2] ?? 0.5);
const rounds = Number(process.argv[3] ?? 9);
const SHOTS = 20_000;

interface Turn {
  /** Steps in a second. */
  readonly rate: number;
  /** Of both processes, ms for each step. */
  readonly cpuMs: number;
}

interface Case {
  readonly name: string;
  /** The server, and the relay before it. */
  readonly servers: readonly ScriptProcess[];
  /** Begins, gives a step and what ends it. */
  readonly begin: () => Promise<{ readonly step: () => Promise<unknown>; readonly end?: () => Promise<unknown> }>;
  readonly turns: Turn[];
}
const cases: Case[] = [];

const tags = Uint32Array.from({ length: SHOTS }, (_, i) => 1000 + 2 * i);
const assembler = new Assembler(octal, { view: "source" });
const inputs = assembler.inputs("uint16");
const darks = octal.map(() => new Float32Array(512 * 1024).fill(100));
const places = new Map(octalSensors.map((id, i) => [id, inputs[i] ?? new Uint16Array(0)]));
const memory = (detId: string): Uint16Array => places.get(detId) ?? new Uint16Array(0);

async function takeTurn({ servers, begin }: Case): Promise<Turn> {
  const { step, end } = await begin();
  for (let i = 0; i < 20; i++) await step();
  const busy = async (): Promise<number> => {
    const told = await Promise.all(servers.map(async (server) => await server.ask()));
    const all = [process.cpuUsage(), ...told.map((each) => (each as { cpu: NodeJS.CpuUsage }).cpu)];
    return all.reduce((sum, { user, system }) => sum + user + system, 0) / 1000;
  };
  const [started, before] = [performance.now(), await busy()];
  let done = 0;
  for (; performance.now() - started < 1000 * seconds; done++) await step();
  const [ended, after] = [performance.now(), await busy()];
  await end?.();
  return { rate: (1000 * done) / (ended - started), cpuMs: (after - before) / done };
}

/** @param isRelayed - through a relay, as every read of `sacla serve` */
async function ours(curve: boolean, isRelayed = false): Promise<() => void> {
  const { process: server, address: last, options } = await startOctal(SHOTS, { curve });
  const servers = [server];
  let address = last;
  if (isRelayed) {
    const relay = new ScriptProcess(
      await bundled(fileURLToPath(new URL("../test/support/relay-server.ts", import.meta.url))),
      [last],
    );
    servers.push(relay);
    ({ address } = (await relay.line()) as { address: string });
  }
  const endpoint = zmqEndpoint(address, options);
  const label = (curve ? "CURVE " : "") + (isRelayed ? "relayed: " : "");
  const add = (name: string, begin: Case["begin"]): void =>
    void cases.push({ name: label + name, servers, begin, turns: [] });
  const frames = (withMemory: boolean) => {
    const params = { bl: OCTAL_BL, run: OCTAL_RUN, detIds: [...octalSensors], tags, roi: null };
    return endpoint.stream("st.frames", params, withMemory ? { memory } : {})[Symbol.asyncIterator]();
  };
  add("receive", async () => {
    const items = frames(false);
    return { step: () => items.next(), end: async () => await items.return?.() };
  });
  add("receive, calibrate, assemble", async () => {
    const items = frames(true);
    const step = async (): Promise<void> => {
      await items.next();
      assembler.assemble(inputs, { dark: darks, out: assembler.output });
    };
    return { step, end: async () => await items.return?.() };
  });
  if (!curve) {
    const columns = {
      equipIds: Array.from({ length: 20 }, (_, i) => `signal_${i}/value`),
      hightag: OCTAL_HIGHTAG,
      tags: tags.slice(0, 10_000),
    };
    add("20 columns of 10 000 tags", async () => ({ step: () => endpoint.call("db.readColumns", columns) }));
    add("small call", async () => ({
      step: () => endpoint.call("db.readRunstatus", { bl: OCTAL_BL, run: OCTAL_RUN }),
    }));
  }
  return () => {
    void endpoint.close();
    for (const each of servers) each.kill();
  };
}

async function bare(curve: boolean): Promise<() => void> {
  const server = new ScriptProcess(
    await bundled(fileURLToPath(new URL("zmq-bare.ts", import.meta.url))),
    curve ? ["curve"] : [],
  );
  const { address, serverKey } = (await server.line()) as { address: string; serverKey: string };
  const own = curveKeyPair();
  const keys = curve ? { curveServerKey: serverKey, curvePublicKey: own.publicKey, curveSecretKey: own.secretKey } : {};
  const dealer = new Dealer({ linger: 0, ...keys });
  dealer.connect(address);
  const label = curve ? "CURVE bare" : "bare";
  const receive = async (): Promise<void> => {
    await dealer.receive();
    await dealer.send("1");
  };
  const drain = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await dealer.receive();
  };
  const begin = async () => {
    await dealer.send("4");
    return { step: receive, end: drain };
  };
  cases.push({ name: `${label} zeromq: receive`, servers: [server], begin, turns: [] });
  if (!curve) {
    const text = JSON.stringify({
      sacla: 1,
      kind: "call",
      id: 0,
      method: "db.readRunstatus",
      value: { bl: OCTAL_BL, run: OCTAL_RUN },
    });
    const step = async (): Promise<void> => {
      await dealer.send(text);
      await dealer.receive();
    };
    cases.push({ name: "bare zeromq: small message", servers: [server], begin: async () => ({ step }), turns: [] });
  }
  return () => {
    dealer.close();
    server.kill();
  };
}

const ends = [await ours(false), await ours(false, true), await bare(false), await ours(true), await bare(true)];
for (let round = 0; round < rounds; round++) {
  for (const each of round % 2 === 0 ? cases : [...cases].reverse()) each.turns.push(await takeTurn(each));
}
for (const end of ends) end();

const middle = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
const turnsOf = (name: string): readonly Turn[] => cases.find((each) => each.name === name)?.turns ?? [];
const rate = (name: string): number => middle(turnsOf(name).map((turn) => turn.rate));
const cpuMs = (name: string): number => middle(turnsOf(name).map((turn) => turn.cpuMs));
/** Of turns beside each other, which found the machine alike. */
const ratio = (a: string, b: string): number =>
  middle(turnsOf(a).map((turn, i) => turn.rate / (turnsOf(b)[i]?.rate ?? NaN)));

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}, node ${process.version}; medians of ${rounds} × ${seconds} s`,
);
console.log(
  `${"".padEnd(36)}${["per second", "ms each", "CPU ms", "2 cores could"].map((head) => head.padStart(15)).join("")}`,
);
for (const { name } of cases) {
  const cells = [
    rate(name).toFixed(1),
    (1000 / rate(name)).toFixed(3),
    cpuMs(name).toFixed(3),
    (2000 / cpuMs(name)).toFixed(0),
  ];
  console.log(`${name.padEnd(36)}${cells.map((cell) => cell.padStart(15)).join("")}`);
}
const bar = (name: string, value: number, allowed: string, isMet: boolean): void =>
  console.log(`${isMet ? "met " : "MISS"} ${name}: ${value.toFixed(2)}, allowed ${allowed}`);
const assembled = rate("receive, calibrate, assemble");
bar("assembled shots/s", assembled, "≥ 180", assembled >= 180);
const curved = rate("CURVE receive, calibrate, assemble");
bar("assembled shots/s with CURVE", curved, "≥ 75", curved >= 75);
const received = ratio("bare zeromq: receive", "receive");
bar("receive, bare / ours", received, "≤ 1.2", received <= 1.2);
const columns = 1000 / rate("20 columns of 10 000 tags");
bar("columns, ms", columns, "< 100", columns < 100);
const small = ratio("bare zeromq: small message", "small call");
bar("small call, bare / ours", small, "≤ 1.3", small <= 1.3);
