/** Writes the pages of docs/ that are made from code. A test fails while they are out of date. */
import { writeFileSync } from "node:fs";
import { errorsPage } from "./docs/errors-page.ts";
import { fromPythonPage } from "./docs/from-python-page.ts";
import { openApiPage } from "./docs/openapi-page.ts";
import { requestSchemaPage } from "./docs/request-schema-page.ts";

const docs = new URL("../docs/", import.meta.url);
writeFileSync(new URL("errors.md", docs), errorsPage());
writeFileSync(new URL("from-python.md", docs), fromPythonPage());
writeFileSync(new URL("openapi.json", docs), openApiPage());
writeFileSync(new URL("reduction-request.schema.json", docs), requestSchemaPage());
