/**
 * Takes the shots of an octal server for ever and says so once, to be killed in the middle of it. `octal-client.ts
 * ADDRESS`
 */
import { zmqEndpoint } from "../../src/transport/zmq/client.ts";
import { OCTAL_BL, OCTAL_RUN, octalSensors } from "./octal-source.ts";

const endpoint = zmqEndpoint(process.argv[2] ?? "");
const tags = await endpoint.call("db.readTaglistByrun", { bl: OCTAL_BL, run: OCTAL_RUN });
let isSaid = false;
for (;;) {
  for await (const _ of endpoint.stream("st.frames", {
    bl: OCTAL_BL,
    run: OCTAL_RUN,
    detIds: [...octalSensors],
    tags,
    roi: null,
  })) {
    if (!isSaid) console.log(JSON.stringify("taking"));
    isSaid = true;
  }
}
