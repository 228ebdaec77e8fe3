import { expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { withPage } from "../../../src/page/index.ts";

it("withPage tells the page the settings of the server", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const usual = withPage(facility.endpoint, { defaults: { bl: 1, colourMap: "magma" } });
  const none = { definition: null, defaults: { bl: null, colourMap: null } };
  expect(await usual.call("page.experiment", {})).toEqual({ ...none, defaults: { bl: 1, colourMap: "magma" } });
  expect(await withPage(facility.endpoint).call("page.experiment", {})).toEqual(none);
});
