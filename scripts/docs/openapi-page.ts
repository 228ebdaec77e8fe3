import { openApiDocument } from "../../src/server/openapi.ts";
import { wholeTable } from "../../src/server/service.ts";

/** docs/openapi.json, from the method table. */
export function openApiPage(): string {
  return `${JSON.stringify(openApiDocument(wholeTable), null, 2)}\n`;
}
