import { madocaDriver } from "../../src/ec/index.ts";
import { type MadocaQuirks, MadocaServer, objectOf } from "../support/madoca-server.ts";
import { ToyDriver, toyDevices } from "../support/toy-driver.ts";
import { controlDriverContract } from "./control-driver-contract.ts";

const devices = {
  bl: 3,
  axis: "bl3_st2_pm001",
  shutter: "bl3_lh1_shutter1",
  setting: "bl3_st2_pd1_gain",
  values: [2, 0],
} as const;

controlDriverContract({
  name: "the toy",
  ...devices,
  runs: true,
  open: async () => {
    const driver = new ToyDriver();
    return { driver, close: () => driver.close() };
  },
});

const quirks: Readonly<Record<string, MadocaQuirks>> = {
  lines: {},
  "no line breaks, in pieces": { newline: false, piece: 7 },
};
for (const [name, quirk] of Object.entries(quirks)) {
  controlDriverContract({
    name: `MADOCA with ${name}`,
    ...devices,
    runs: false,
    open: async () => {
      const server = new MadocaServer(new ToyDriver(), quirk);
      const port = await server.listen();
      const madoca = {
        host: "127.0.0.1",
        port,
        beam: "bl_3_beam",
        devices: toyDevices.map((info) => ({ object: objectOf(info.name), info, words: "on-off" as const })),
      };
      const driver = madocaDriver({ bl: 3, madoca });
      return {
        driver,
        close: async () => {
          await driver.close();
          await server.close();
        },
      };
    },
  });
}
