import { Detectors } from "../core/detectors.ts";
import { shellWord } from "../core/shell-word.ts";
import { Db } from "../db/index.ts";
import type { RunReport } from "../page/index.ts";
import { quickLook } from "../reduce/index.ts";
import { St } from "../st/index.ts";
import type { Endpoint } from "../transport/index.ts";
import { isSimulated } from "./command.ts";
import { assembleMeans, beamMonitor, demoReport } from "./report.ts";

/** Reports of the runs of a source, as `sacla demo` writes them; one is made at a time. */
export function runReports(source: Endpoint, url: string): RunReport {
  const [db, st] = [new Db(source), new St(source)];
  let turn: Promise<unknown> = Promise.resolve();
  const make: RunReport = async ({ bl, run: number, detId, limit }, signal) => {
    const run = await db.run(bl, number);
    const detectors = Detectors.of(await run.detectors({ signal }), `Run ${number} of beamline ${bl}`);
    const marked = await run.darkTags(undefined, { signal }).catch(() => []);
    const dark = marked.length === 0 ? "none" : "head";
    const look = await quickLook(st, run, detectors.find(detId), { dark, limit, signal });
    const assembled = await assembleMeans(look);
    const html = demoReport(look, assembled, await beamMonitor(run), url, "jst", await isSimulated(source, signal));
    const name = `run${number}-${detId}.html`;
    return {
      name,
      bytes: new TextEncoder().encode(html),
      command: `sacla demo ${shellWord(url)} --run ${number} --detector ${detId} -n ${limit} -o ${name} --bl ${bl}`,
      note: "",
    };
  };
  return async (of, signal) => {
    const made = turn.then(() => make(of, signal));
    turn = made.catch(() => {});
    return await made;
  };
}
