/**
 * Sends servers messages that are random, nearly right or damaged, and looks at what they answer and what memory they
 * take. `npm run fuzz:protocol -- [COUNT] [SEED] [zmq|http]`; fails at the first wrong answer.
 */
import { endpointOf } from "../src/source/source-endpoint.ts";
import { fuzz, fuzzedHttp, fuzzedZmq } from "../test/support/fuzz-protocol.ts";
import { tinySource } from "../test/support/tiny-source.ts";
import { fuzzHttp } from "./fuzz/http.ts";

const [count = "100000", seed = String(Date.now() % 1e6), only] = process.argv.slice(2);

/** Compiled code and caches; what is kept for each message would be far more. */
const ALLOWED_GROWTH_MB = 20;
const mayGrow = (early: number, late: number): void => {
  if (late - early > ALLOWED_GROWTH_MB) throw new Error(`memory in use grew from ${early} to ${late} MB`);
};

for (const [name, open] of Object.entries({ zmq: fuzzedZmq, http: fuzzedHttp })) {
  if (only !== undefined && only !== name) continue;
  const carrier = await open();
  const report = await fuzz(carrier, Number(count), Number(seed));
  await carrier.close();
  console.log(JSON.stringify({ seed: Number(seed), ...report }));
  mayGrow(...report.usedMb);
}

// Queries, headers, methods, paths and bytes that are no HTTP at all.
if (only === undefined || only === "http") {
  const { wrong, ...report } = await fuzzHttp(endpointOf(tinySource()), Number(count), Number(seed));
  console.log(JSON.stringify({ seed: Number(seed), name: "http requests", ...report }));
  if (wrong.length > 0) throw new Error(`${wrong.length} wrong answers, such as ${wrong.slice(0, 5).join("\n")}`);
  mayGrow(...report.usedMb);
}
