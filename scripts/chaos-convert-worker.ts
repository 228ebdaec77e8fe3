/**
 * One conversion of a small made-up run, for scripts/chaos-convert.ts to kill: `chaos-convert-worker.ts FILE SHOTS`. Says
 * "ready" when it begins and "writing" when all is read.
 */
import { Db } from "../src/db/index.ts";
import { convert } from "../src/hdf5/index.ts";
import { endpointOf } from "../src/source/index.ts";
import { St } from "../src/st/index.ts";
import { inProcess } from "../src/transport/index.ts";
import { ChaosSource } from "./chaos-convert-source.ts";

const [file = "", shots = ""] = process.argv.slice(2);
const endpoint = inProcess(endpointOf(new ChaosSource(Number(shots))));
process.stdout.write("ready\n");
const request = { bl: 3, run: 1, signals: ["*"], dark: "head", compression: "gzip-1" } as const;
const { resumedShots } = await convert({ db: new Db(endpoint), st: new St(endpoint) }, request, file, {
  url: "chaos:",
  onProgress: (step, done) => {
    if (step === "write" && done === 1) process.stdout.write("writing\n");
  },
});
process.stdout.write(`resumed ${resumedShots}\n`);
