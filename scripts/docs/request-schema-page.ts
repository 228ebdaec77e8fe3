import { toJsonSchema } from "@valibot/to-json-schema";
import { requestSchema } from "../../src/batch/index.ts";

/** docs/reduction-request.schema.json: what an editor knows of a request file of `sacla reduce`. */
export function requestSchemaPage(): string {
  // Defaults are optional in a file that a person writes.
  // JSON has no infinite numbers, so that "finite" needs no word.
  const schema = toJsonSchema(requestSchema, { typeMode: "input", target: "draft-07", ignoreActions: ["finite"] });
  return `${JSON.stringify(schema, null, 2)}\n`;
}
