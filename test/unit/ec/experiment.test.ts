import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Facility } from "../../../src/connect.ts";
import {
  type DeviceInfo,
  defineExperiment,
  Experiment,
  type ExperimentDefinition,
  withControl,
} from "../../../src/ec/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";

const folder = temporaryFolder();
const axis = { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, limits: [-10, 100] };
const shutter = { kind: "shutter", name: "bl3_shutter1", syncdb: null, meaning: "" };
const setting = {
  kind: "setting",
  role: "attenuator",
  name: "bl3_att1",
  syncdb: null,
  meaning: "",
  unit: "um",
  allowed: [0, 100],
};
const madoca = (...devices: readonly object[]): object => ({ madoca: { host: "server", devices } });

describe("what is wrong with an experiment file", () => {
  const wrong: readonly [string, object, string][] = [
    [
      "turned limits",
      { axes: { delay: { ...axis, limits: [5, 1] } } },
      'axes.delay.limits .* is \\[5,1\\], but must be two numbers, the lower first, or "unlimited"',
    ],
    ["no limits", { axes: { delay: { ...axis, limits: undefined } } }, "axes.delay.limits .* must be two numbers"],
    [
      "a name with a blank",
      { axes: { "my delay": axis } },
      'is "my delay", but must be a name of letters, digits and _',
    ],
    ["a key left out", { axes: { delay: { device: "bl3_x" } } }, "axes.delay.unit .* must be given"],
    [
      "a misspelt key",
      { axes: { delay: { ...axis, ofset: 1 } } },
      "axes.delay.ofset .* left out, or one of device, .*offset",
    ],
    [
      "an object with a slash",
      madoca({ object: "a/b", info: shutter }),
      "madoca.devices.0.object .* letters, digits and _",
    ],
    [
      "two devices on one object",
      madoca({ object: "a", info: shutter }, { object: "a", info: setting }),
      "each object once and each device once",
    ],
    [
      "one device on two objects",
      madoca({ object: "a", info: shutter }, { object: "b", info: shutter }),
      "each object once and each device once",
    ],
    ["a unit MADOCA cannot say", madoca({ object: "a", info: { ...setting, unit: "µm" } }), "unit is letters or %"],
    [
      "a value that is two fields",
      madoca({ object: "a", info: { ...setting, allowed: ["in/out"] } }),
      "words of letters and digits",
    ],
  ];
  it.each(wrong)("is told in words: %s", (_, changes, message) => {
    const definition = { name: "x", bl: 3, ...changes } as ExperimentDefinition;
    expect(() => defineExperiment(definition)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) }),
    );
  });

  it("is told with the file: not there, no JSON", async () => {
    const path = join(folder, "broken.json");
    writeFileSync(path, "{");
    await expect(Experiment.load(path)).rejects.toMatchObject({
      code: "BAD_TEXT",
      message: expect.stringMatching(/The experiment file .*broken\.json/),
    });
    await expect(Experiment.load(join(folder, "none.json"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining("none.json"),
    });
  });
});

describe("a device of the accelerator", () => {
  const klystron: DeviceInfo = {
    kind: "setting",
    role: "accelerator",
    name: "bl3_klystron1",
    syncdb: null,
    meaning: "phase of a klystron",
    unit: "deg",
    allowed: [],
  };

  class WithKlystron extends ToyDriver {
    override async devices(bl: number): Promise<readonly DeviceInfo[]> {
      return [...(await super.devices(bl)), klystron];
    }
    override async read(device: string) {
      return device === klystron.name
        ? { device, state: "ready" as const, value: 12.5, why: "" }
        : await super.read(device);
    }
  }

  it("is read by everyone, and changed by its operators alone when it takes no value from here", async () => {
    const toy = new WithKlystron();
    await using facility = new Facility(withControl(endpointOf(tinySource()), toy));
    expect(await facility.ec.read(3, klystron.name)).toMatchObject({ value: 12.5 });
    await using control = await facility.ec.control(3, { name: "test", reason: "test" });
    const why = "the operators of the accelerator alone change it; ask them";
    await expect(control.setting("bl3_klystron1").set(13)).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining(why),
    });
    const move = await control.plan({ bl3_klystron1: 13 });
    expect(move.problems).toEqual([`bl3_klystron1: ${why}`]);
    await expect(move.go()).rejects.toMatchObject({ code: "LIMIT" });
    expect(toy.calls).toEqual([]);
    // What cannot be put back is not kept.
    const kept = Object.keys((await control.snapshot()).values);
    expect(kept).toContain("bl3_st2_pd1_gain");
    expect(kept).not.toContain(klystron.name);
  });
});
