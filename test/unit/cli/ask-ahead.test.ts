import { expect, it } from "vitest";
import { askAhead } from "../../../src/cli/ask-ahead.ts";
import { ScriptedEndpoint } from "../../support/scripted-endpoint.ts";

it("sacla view asks for the first picture of the page before the browser does, until there is one", async () => {
  const nothing = { frame: null, error: null, quiet: null };
  const ids = ["camera", "MPCCD-2N0-M02-001", "MPCCD-2N0-M02-001-1", "MPCCD-2N0-M02-001-2"];
  const endpoint = new ScriptedEndpoint({ calls: [ids, nothing, nothing, { frame: {} }] });
  await askAhead(endpoint, 3, new AbortController().signal);
  expect(endpoint.asked.map(({ method }) => method)).toEqual([
    "live.readDetidlist",
    ...["page.live", "page.live", "page.live"],
  ]);
  expect(endpoint.asked[1]?.params).toMatchObject({ bl: 3, detId: "MPCCD-2N0-M02-001", after: null });
  const silent = new ScriptedEndpoint({ calls: [ids, nothing] });
  await askAhead(silent, 3, new AbortController().signal);
  expect(silent.asked.length).toBeLessThan(10);
});

it.each([{ quiet: "no run is on" }, { error: "no geometry" }])(
  "does not wait for a picture that does not come: %o",
  async (why) => {
    const endpoint = new ScriptedEndpoint({
      calls: [["MPCCD-2N0-M02-001"], { frame: null, error: null, quiet: null, ...why }, { frame: {} }],
    });
    await askAhead(endpoint, 3, new AbortController().signal);
    expect(endpoint.asked).toHaveLength(2);
  },
);
