// Records one question after the other until it is killed; for the test of what is left then.
import { createSimulatedFacility } from "../../src/facility/index.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { withRecording } from "../../src/transport/wrappers/with-recording.ts";

const endpoint = await withRecording(inProcess(endpointOf(createSimulatedFacility())), process.argv[2] ?? "");
const of = { bl: 3, run: 651264 };
const tags = await endpoint.call("db.readTaglistByrun", of);
for await (const { tag } of endpoint.stream("st.frames", { ...of, detIds: ["MPCCD-2B1-M03-001-1"], tags, roi: null }))
  console.log(tag);
