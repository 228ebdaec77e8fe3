import { describe, expect, it } from "vitest";
import { openApiDocument } from "../../../src/server/openapi.ts";
import { wholeTable } from "../../../src/server/service.ts";
import { changingTable } from "../../support/changing-table.ts";

type Operation = {
  operationId: string;
  parameters: { name?: string; $ref?: string }[];
  requestBody?: { content: Record<string, { schema?: { properties: object; required: string[] } }> };
};
interface Document {
  readonly paths: Record<string, { get?: Operation; post?: Operation }>;
  readonly components: { readonly responses: Record<string, { content: Record<string, unknown> }> };
}
const document = openApiDocument(wholeTable) as unknown as Document;

/** Everything in a document that refers to another place in it. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "$ref" in value && typeof value.$ref === "string" ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(references)];
}

describe("the OpenAPI document", () => {
  it("has every method of the table with its parameters: what reads as GET and POST, what changes something as POST", () => {
    for (const [name, { params, changes, hasSecret }] of [
      ...Object.entries(wholeTable.calls),
      ...Object.entries(wholeTable.streams),
    ]) {
      const path = document.paths[`/v1/${name.replace(".", "/")}`];
      const wanted = Object.keys((params as unknown as { entries: object }).entries);
      expect(
        path?.get?.parameters.flatMap((parameter) => parameter.name ?? []),
        name,
      ).toEqual(changes || hasSecret ? undefined : wanted);
      expect(Object.keys(path?.post?.requestBody?.content["application/json"]?.schema?.properties ?? {}), name).toEqual(
        wanted,
      );
    }
  });

  it("refers to nothing that is not there, and names each operation once", () => {
    for (const reference of new Set(references(document))) {
      const found = reference
        .replace("#/", "")
        .split("/")
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
      expect(found, reference).toBeDefined();
    }
    const ids = Object.values(document.paths).flatMap(({ get, post }) =>
      [get, post].flatMap((operation) => operation?.operationId ?? []),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("writes arrays as lists of what they can hold", () => {
    const text = JSON.stringify(document.components.responses["db.readTaglistByrun"]);
    expect(text).toContain('"items":{"type":"integer","minimum":0,"maximum":4294967295}');
    expect(JSON.stringify(document.components.responses["db.readSyncdatalistFloat"])).toContain(
      "#/components/schemas/NonFinite",
    );
    expect(Object.keys(document.components.responses["st.frames"]?.content ?? {})).toEqual([
      "text/event-stream",
      "application/x-sacla",
    ]);
  });

  it("offers what changes something by POST alone, with a key", () => {
    const { paths } = openApiDocument(changingTable) as unknown as Document;
    expect(Object.keys(paths["/v1/test/move"] ?? {})).toEqual(["post"]);
    expect(paths["/v1/test/move"]?.post?.parameters).toContainEqual({ $ref: "#/components/parameters/key" });
    expect(paths["/v1/db/listRuns"]?.post?.parameters).not.toContainEqual({ $ref: "#/components/parameters/key" });
  });
});
