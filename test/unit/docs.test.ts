import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorsPage } from "../../scripts/docs/errors-page.ts";
import { citiusCalls, fromPythonPage, liveCalls, otherCalls } from "../../scripts/docs/from-python-page.ts";
import { openApiPage } from "../../scripts/docs/openapi-page.ts";
import { requestSchemaPage } from "../../scripts/docs/request-schema-page.ts";
import { readersPage } from "../../scripts/readers/page.ts";
import { checkReductionRequest } from "../../src/batch/index.ts";
import { errorCatalogue } from "../../src/core/errors.ts";
import { Db } from "../../src/db/index.ts";
import * as ip from "../../src/ip/index.ts";
import * as live from "../../src/live/index.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { St, StorageBuffer, StorageReader } from "../../src/st/index.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { callMethods } from "../../src/transport/methods.ts";
import { tinySource } from "../support/tiny-source.ts";

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

/** Every call of dbpy in the facility's public scripts, by its Python name. */
const dbpy = [
  "get_api_version",
  "read_runnumber_newest",
  "read_runstatus",
  "read_runinfo",
  "read_comment",
  "read_starttime",
  "read_stoptime",
  "read_start_tagnumber",
  "read_end_tagnumber",
  "read_hightagnumber",
  "read_hightagnumber_fromtime",
  "read_taglist_byrun",
  "read_taglist_bydetid",
  "read_taglist",
  "read_tagnumber_newest",
  "read_syncdatalist",
  "read_syncdatalist_float",
  "read_detidlist",
  "read_equiplist",
  "read_config_photonenergy",
  "read_config_photonenergy_in_keV",
  "read_timestamp_fromtag",
];
const camel = (name: string): string => name.replace(/_([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase());

describe("docs made from code", () => {
  it("are up to date (npm run docs)", () => {
    expect(page("errors.md")).toBe(errorsPage());
    expect(page("from-python.md")).toBe(fromPythonPage());
    expect(page("openapi.json")).toBe(openApiPage());
    expect(page("reduction-request.schema.json")).toBe(requestSchemaPage());
  });

  it("show requests that are ones", () => {
    const blocks = [...page("batch.md").matchAll(/```json\n(.*?)```/gs)].map((match) => match[1] ?? "");
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(checkReductionRequest(JSON.parse(block))).toBeDefined();
  });

  it("list every error code and no other", () => {
    const listed = [...page("errors.md").matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1]);
    expect(listed).toEqual(Object.keys(errorCatalogue));
  });

  it("name every call of dbpy, and each is really there", () => {
    const text = page("from-python.md");
    for (const name of dbpy) {
      expect(text).toContain(`dbpy.${name}(`);
      expect(Object.keys(callMethods)).toContain(`db.${camel(name)}`);
      expect(Reflect.get(Db.prototype, camel(name))).toBeTypeOf("function");
    }
    const documented = Object.values(callMethods).flatMap(({ python }) =>
      python?.startsWith("dbpy.") ? [python.slice(5, python.indexOf("("))] : [],
    );
    expect([...documented].sort()).toEqual([...dbpy].sort());
  });

  it("name calls of stpy and ippy that are really there", () => {
    const homes: Record<string, object> = { reader: StorageReader.prototype, buffer: StorageBuffer.prototype };
    let checked = 0;
    for (const { ours } of otherCalls) {
      const method = /(reader|buffer)\.(\w+)\(/.exec(ours);
      if (method === null) continue;
      expect(Reflect.get(homes[method[1] ?? ""] ?? {}, method[2] ?? ""), ours).toBeTypeOf("function");
      checked++;
    }
    expect(checked).toBe(4);
    const ofLive: Record<string, object> = {
      reader: live.StorageReader.prototype,
      buffer: live.StorageBuffer.prototype,
      live: live.Live.prototype,
    };
    const methods = liveCalls.flatMap(({ ours }) => {
      const [, home, method] = /^await (live)\.(\w+)\(/.exec(ours) ?? /(reader|buffer)\.(\w+)\(/.exec(ours) ?? [];
      return method === undefined ? [] : [Reflect.get(ofLive[home ?? ""] ?? {}, method)];
    });
    expect(methods.map((method) => typeof method)).toEqual(["function", "function", "function", "function"]);
    const { ctdapyXfel, ctolpyXfel } = new St(inProcess(endpointOf(tinySource())));
    const ofCitius: Record<string, object> = {
      ctdapyXfel,
      ctolpyXfel,
      buffer: new ctdapyXfel.CtrlBuffer(2, 1),
      online: new ctolpyXfel.CtrlBuffer(0),
    };
    for (const { ours } of citiusCalls) {
      const [, home = "", name = ""] = /(ctdapyXfel|ctolpyXfel|buffer|online)\.(\w+)\(/.exec(ours) ?? [];
      expect(Reflect.get(ofCitius[home] ?? {}, name), ours).toBeTypeOf("function");
    }
    expect([ip.reconstruction, ip.Assembler, St].every((thing) => typeof thing === "function")).toBe(true);
  });
});

describe("docs/readers.md", () => {
  it("has the traps that check:readers writes, which runs the programs for the rest", () => {
    const traps = (text: string): string => text.slice(text.indexOf("## Traps"));
    expect(traps(page("readers.md"))).toBe(traps(readersPage([])));
  });
});

describe("examples", () => {
  const folder = new URL("../../examples/", import.meta.url);
  it.each(readdirSync(folder).filter((name) => name.endsWith(".ts")))(
    "%s: its first comment says how it is run",
    (name) => {
      const [comment] = readFileSync(new URL(name, folder), "utf8").split(/^import /m);
      expect(comment).toContain(`Run: npx tsx node_modules/sacla/examples/${name}\n`);
    },
  );
});
