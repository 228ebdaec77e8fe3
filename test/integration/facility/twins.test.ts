import { MessageChannel } from "node:worker_threads";
import { expect, it } from "vitest";
import { sleep } from "../../../src/core/async.ts";
import { toSaclaError } from "../../../src/core/errors.ts";
import { newTwins, type TwinCommand, twinDevices, twinShots } from "../../../src/facility/twins.ts";

it("twins: what is done to the devices of the one is in the shots of the other, faults of a hostile day too", async () => {
  const options = { seed: 7, speed: 200, scenario: "hostile" } as const;
  const twins = newTwins();
  const { port1, port2 } = new MessageChannel();
  const given: TwinCommand[] = [];
  const devices = twinDevices(options, twins, (command) => {
    given.push(command);
    port1.postMessage(command);
  });
  const shots = twinShots(options, twins, port2);
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
  await sleep(200);
  // The scenario did refuse some.
  expect(new Set(outcomes).size).toBeGreaterThan(1);
  expect(given).toHaveLength(61);
  for (const { name } of axes) {
    const [here, there] = [await devices.read(name), await shots.control.read(name)];
    expect(there, name).toEqual(here);
  }
  expect(shots.runStatus(3, run)).toBe(2);
  const { state, shots: taken } = await devices.runState(3);
  expect([state, taken > 0]).toEqual(["running", true]);
  // What begins later and is told everything has the same devices, as a thread that is started again.
  const again = new MessageChannel();
  for (const command of given) again.port1.postMessage(command);
  const later = twinShots(options, twins, again.port2);
  for (const { name } of axes) expect(await later.control.read(name), name).toEqual(await devices.read(name));
  const [counter] = axes.flatMap(({ syncdb }) => (syncdb === null ? [] : [syncdb]));
  const [hightag, newest] = shots.newestTag(counter ?? "");
  const tags = Uint32Array.from({ length: 200 }, (_, i) => newest - 400 + 2 * i);
  expect(later.column(counter ?? "", hightag, tags)).toEqual(shots.column(counter ?? "", hightag, tags));
  for (const port of [port1, port2, again.port1, again.port2]) port.close();
});
