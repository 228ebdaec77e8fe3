import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sleep } from "../../../src/core/async.ts";
import { toSaclaError } from "../../../src/core/errors.ts";
import { newTwins, twinDevices, twinShots } from "../../../src/facility/twins.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

it("twins: what is done to the devices of the one is in the shots of the other, faults of a hostile day too", async () => {
  const options = { seed: 7, speed: 200, scenario: "hostile" } as const;
  const twins = newTwins(join(folder, "commands"));
  const devices = twinDevices(options, twins);
  const shots = twinShots(options, twins);
  const infos = await devices.devices(3);
  const axes = infos.filter((info) => info.kind === "axis");
  const outcomes: string[] = [];
  for (let turn = 0; turn < 60; turn++) {
    const axis = axes[turn % axes.length];
    if (axis === undefined) continue;
    const work = turn % 5 === 4 ? devices.stop(axis.name) : devices.move(axis.name, 100 * turn - 2000);
    outcomes.push(
      await work.then(
        () => "ok",
        (error: unknown) => toSaclaError(error).code,
      ),
    );
    await sleep(3);
  }
  const { run } = await devices.startRun(3, { comment: "twins", detectors: [], shots: 0 });
  // What still moves is elsewhere at each look; what is stuck stands where it is.
  for (let look = 0; look < 30; look++) {
    await sleep(100);
    const readings = await Promise.all(axes.map(async ({ name }) => await devices.read(name)));
    if (look > 0 && readings.every(({ state }) => state !== "moving")) break;
  }
  // The scenario did refuse some.
  expect(new Set(outcomes).size).toBeGreaterThan(1);
  expect(readFileSync(twins.path, "utf8").split("\n")).toHaveLength(62);
  // Where axes still move, the two would be read at two moments.
  const places = async (): Promise<string> =>
    JSON.stringify(await Promise.all(axes.map(async ({ name }) => await devices.read(name))));
  for (let [before, now] = ["", await places()]; before !== now; [before, now] = [now, await places()])
    await sleep(100);
  for (const { name } of axes) {
    const [here, there] = [await devices.read(name), await shots.control.read(name)];
    expect(there, name).toEqual(here);
  }
  expect(shots.runStatus(3, run)).toBe(2);
  const { state, shots: taken } = await devices.runState(3);
  expect([state, taken > 0]).toEqual(["running", true]);
  // What begins later and is told everything has the same devices, as a process that is started again.
  const later = twinShots(options, twins);
  for (const { name } of axes) expect(await later.control.read(name), name).toEqual(await devices.read(name));
  const [counter] = axes.flatMap(({ syncdb }) => (syncdb === null ? [] : [syncdb]));
  const [hightag, newest] = shots.newestTag(counter ?? "");
  const tags = Uint32Array.from({ length: 200 }, (_, i) => newest - 400 + 2 * i);
  expect(later.column(counter ?? "", hightag, tags)).toEqual(shots.column(counter ?? "", hightag, tags));
  // Who gives commands has been halted in the middle of one: what is read waits a while, and not for ever.
  appendFileSync(twins.path, " ");
  const asked = performance.now();
  shots.newestTag(counter ?? "");
  expect(performance.now() - asked).toBeLessThan(5000);
  await devices.close();
  await devices.close();
});
