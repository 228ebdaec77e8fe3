/**
 * ZeroMQ on one machine, server and client in processes of their own: shots of an octal received, and received,
 * calibrated and assembled; columns; the round trip of a small call; with and without CURVE. Beside it the same bytes over bare
 * zeromq, and into pyzmq in Python.
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
import { findPython, Program } from "./reduce-harness.ts";
import { row } from "./rows.ts";

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
  readonly take: () => Promise<Turn>;
  readonly turns: Turn[];
}
/** Begins, gives a step and what ends it. */
type Begin = () => Promise<{ readonly step: () => Promise<unknown>; readonly end?: () => Promise<unknown> }>;
const cases: Case[] = [];

const tags = Uint32Array.from({ length: SHOTS }, (_, i) => 1000 + 2 * i);
const assembler = new Assembler(octal, { view: "source" });
const inputs = assembler.inputs("uint16");
const darks = octal.map(() => new Float32Array(512 * 1024).fill(100));
const places = new Map(octalSensors.map((id, i) => [id, inputs[i] ?? new Uint16Array(0)]));
const memory = (detId: string): Uint16Array => places.get(detId) ?? new Uint16Array(0);

const msOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;

/** Processor time so far of servers, ms. */
async function busyMs(servers: readonly ScriptProcess[]): Promise<number> {
  const told = await Promise.all(servers.map(async (server) => await server.ask()));
  return told.reduce<number>((sum, each) => sum + msOf((each as { cpu: NodeJS.CpuUsage }).cpu), 0);
}

/** @param servers - the server, and the relay before it */
async function takeTurn(servers: readonly ScriptProcess[], begin: Begin): Promise<Turn> {
  const { step, end } = await begin();
  for (let i = 0; i < 20; i++) await step();
  const busy = async (): Promise<number> => msOf(process.cpuUsage()) + (await busyMs(servers));
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
  const add = (name: string, begin: Begin): void =>
    void cases.push({ name: label + name, take: async () => await takeTurn(servers, begin), turns: [] });
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

async function bareServer(curve: boolean) {
  const program = await bundled(fileURLToPath(new URL("zmq-bare.ts", import.meta.url)));
  const server = new ScriptProcess(program, curve ? ["curve"] : []);
  return { server, ...((await server.line()) as { address: string; serverKey: string }) };
}

async function bare(curve: boolean): Promise<() => void> {
  const { server, address, serverKey } = await bareServer(curve);
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
  const add = (name: string, steps: Begin): void =>
    void cases.push({ name, take: async () => await takeTurn([server], steps), turns: [] });
  add(`${label} zeromq: receive`, begin);
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
    add("bare zeromq: small message", async () => ({ step }));
  }
  return () => {
    dealer.close();
    server.kill();
  };
}

/** A Python program that receives the same bytes; none where there is no pyzmq. */
async function pyzmq(curve: boolean): Promise<() => void> {
  if (python === undefined) return () => {};
  const { server, address, serverKey } = await bareServer(curve);
  const script = fileURLToPath(new URL("pyzmq.py", import.meta.url));
  const program = await Program.start("pyzmq", python, [script, address, ...(curve ? [serverKey] : [])]);
  const take = async (): Promise<Turn> => {
    const before = await busyMs([server]);
    const { ms, cpuMs, check } = await program.run(String(seconds));
    const [steps = NaN, all = NaN] = check;
    return { rate: (1000 * steps) / ms, cpuMs: cpuMs / steps + ((await busyMs([server])) - before) / all };
  };
  cases.push({ name: `${curve ? "CURVE " : ""}pyzmq: receive`, take, turns: [] });
  return () => {
    program.close();
    server.kill();
  };
}

const python = findPython("zmq, numpy");
const ends: (() => void)[] = [];
for (const curve of [false, true]) {
  ends.push(await ours(curve), await bare(curve), await pyzmq(curve));
  if (!curve) ends.push(await ours(curve, true));
}
for (let round = 0; round < rounds; round++) {
  for (const each of round % 2 === 0 ? cases : [...cases].reverse()) each.turns.push(await each.take());
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
console.log("");
/** Steps a second of turns beside each other, which found the machine alike. */
function beside(what: string, name: string, reference: string, other: string, goal: number): void {
  const theirs = turnsOf(other).length === 0 ? null : rate(name) / ratio(name, other);
  const byProcessor = cpuMs(name) / cpuMs(other);
  const asked = { name: reference, value: theirs };
  row({ what, unit: "/s", sacla: rate(name), reference: asked, goal, atLeast: true, byProcessor });
}
beside("octals received", "receive", "pyzmq", "pyzmq: receive", 1);
beside("octals received", "receive", "bare zeromq", "bare zeromq: receive", 0.83);
beside("octals received with CURVE", "CURVE receive", "pyzmq", "CURVE pyzmq: receive", 1);
beside("octals received with CURVE", "CURVE receive", "bare zeromq", "CURVE bare zeromq: receive", 0.83);
beside("small calls", "small call", "bare zeromq", "bare zeromq: small message", 0.83);
const absolute = { unit: "/s", atLeast: true };
row({ what: "octals assembled", sacla: rate("receive, calibrate, assemble"), goal: 180, ...absolute });
row({ what: "octals assembled with CURVE", sacla: rate("CURVE receive, calibrate, assemble"), goal: 75, ...absolute });
row({ what: "20 columns of 10 000 tags", unit: "ms", sacla: 1000 / rate("20 columns of 10 000 tags"), goal: 100 });
