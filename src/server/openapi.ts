import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import { errorCatalogue } from "../core/errors.ts";
import { WIRE_VERSION } from "../transport/codec.ts";
import type { Method } from "../transport/methods.ts";
import { PACKED_TYPE } from "../transport/packed.ts";

type Documented = Pick<Method, "params" | "result" | "changes" | "hasSecret"> &
  Partial<Pick<Method, "meaning" | "python" | "note">>;
type Json = Readonly<Record<string, unknown>>;
type Schema = Method["params"];

interface DocumentedTable {
  readonly calls: Readonly<Record<string, Documented>>;
  readonly streams: Readonly<Record<string, Documented>>;
}

/** OpenAPI 3.1 of the routes that a server makes from a method table; docs/openapi.json is that of the whole table. */
export function openApiDocument(table: DocumentedTable): Json {
  const paths: Record<string, Json> = {};
  const responses: Record<string, Json> = {};
  const add = (name: string, entry: Documented, isStream: boolean): void => {
    paths[`/v1/${name.replace(".", "/")}`] = pathOf(name, entry, isStream);
    responses[name] = responseOf(entry, isStream);
  };
  for (const [name, entry] of Object.entries(table.calls)) add(name, entry, false);
  for (const [name, entry] of Object.entries(table.streams)) add(name, entry, true);
  return {
    openapi: "3.1.0",
    info: {
      title: "sacla serve",
      version: String(WIRE_VERSION),
      description:
        `What a sacla server answers over HTTP. Bodies are JSON or ${PACKED_TYPE}; ` +
        "docs/protocol.md says how each is made.",
      license: { name: "MIT", identifier: "MIT" },
    },
    // Without keys a server on loopback needs no token.
    security: [{ token: [] }, {}],
    paths: { ...paths, ...ownPaths },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "A token made by `sacla keys new`." } },
      schemas: { NonFinite: nonFinite, Error: errorSchema },
      parameters: {
        timeout: headerParameter(
          "Sacla-Timeout-Ms",
          "Milliseconds the client still waits; of a stream, for one item.",
          false,
          { type: "number", minimum: 0 },
        ),
        key: headerParameter("Idempotency-Key", "Of what has the same key, the server does one.", true, {
          type: "string",
          minLength: 1,
          maxLength: 200,
        }),
      },
      responses: {
        ...responses,
        Failure: {
          description: "A failure; the status says its kind.",
          content: bodyOf({ $ref: "#/components/schemas/Error" }),
        },
      },
    },
  };
}

const nonFinite: Json = {
  type: "object",
  description: "A number that JSON cannot hold.",
  properties: { $number: { enum: ["NaN", "Infinity", "-Infinity"] } },
  required: ["$number"],
  additionalProperties: false,
};

const errorSchema: Json = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: {
          type: "string",
          enum: Object.keys(errorCatalogue),
          description: "A newer server may have further codes: take them as INTERNAL.",
        },
        message: { type: "string" },
        details: { type: "object" },
      },
      required: ["code", "message", "details"],
    },
  },
  required: ["error"],
};

const ownPaths: Json = {
  "/health": {
    get: {
      operationId: "health",
      summary: "Whether the source answers. Needs no token; without one it says the status only.",
      security: [{}],
      responses: { "200": plain("It answers.", "application/json"), "503": plain("It does not.", "application/json") },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      summary: "What the server has done, for Prometheus.",
      responses: { "200": plain("Counts.", "text/plain") },
    },
  },
  "/v1/openapi.json": {
    get: { operationId: "openapi", summary: "This.", responses: { "200": plain("OpenAPI 3.1.", "application/json") } },
  },
};

function plain(description: string, type: string): Json {
  return { description, content: { [type]: {} } };
}

function headerParameter(name: string, description: string, required: boolean, schema: Json): Json {
  return { name, in: "header", description, required, schema };
}

function pathOf(name: string, entry: Documented, isStream: boolean): Json {
  const { params, changes, hasSecret = false, meaning = name, python, note } = entry;
  const notes = [
    python === undefined || python === null ? undefined : `Mirrors \`${python}\`.`,
    note,
    isStream ? streamNote : undefined,
  ];
  const description = notes.filter((text) => text !== undefined).join(" ");
  const common = {
    summary: meaning,
    ...(description === "" ? {} : { description }),
    tags: [name.slice(0, name.indexOf("."))],
  };
  const headers = [
    { $ref: "#/components/parameters/timeout" },
    ...(changes ? [{ $ref: "#/components/parameters/key" }] : []),
  ];
  const responses = {
    "200": { $ref: `#/components/responses/${name}` },
    default: { $ref: "#/components/responses/Failure" },
  };
  const post = {
    operationId: name.replace(".", "_"),
    ...common,
    parameters: headers,
    requestBody: { required: true, content: bodyOf(schemaOf(params)) },
    responses,
  };
  if (changes || hasSecret) return { post };
  const get = {
    operationId: `${name.replace(".", "_")}_get`,
    ...common,
    parameters: [...queryOf(params), ...headers],
    responses,
  };
  return { get, post };
}

function responseOf({ result }: Documented, isStream: boolean): Json {
  const answer = schemaOf(result);
  return isStream
    ? { description: "Item after item.", content: streamBodies(answer) }
    : { description: "The answer.", content: bodyOf(answer) };
}

const streamNote = "Each event has the item as data; the last event is `end` or `error`.";

function bodyOf(schema: Json): Json {
  return { "application/json": { schema }, [PACKED_TYPE]: {} };
}

function streamBodies(item: Json): Json {
  return {
    "text/event-stream": { schema: { type: "string", contentMediaType: "application/json", contentSchema: item } },
    [PACKED_TYPE]: {},
  };
}

/** Text stands as it is, everything else as JSON. */
function queryOf(params: Schema): Json[] {
  const { properties = {}, required = [] } = schemaOf(params) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(schema["type"] === "string" ? { schema } : { content: { "application/json": { schema } } }),
  }));
}

function schemaOf(schema: Schema): Json {
  const { $schema: _, ...converted } = toJsonSchema(schema, {
    target: "draft-2020-12",
    ignoreActions: ["readonly"],
    overrideSchema: ({ valibotSchema }) =>
      "class" in valibotSchema ? (arraySchema(valibotSchema.class) as JsonSchema | undefined) : undefined,
  });
  return converted as Json;
}

const number = { anyOf: [{ type: "number" }, { $ref: "#/components/schemas/NonFinite" }] };
const whole = (minimum: number, maximum: number): Json => ({ type: "integer", minimum, maximum });

/** A typed array as it stands in JSON: a list of what it can hold. */
const arrays = new Map<unknown, readonly [dtype: string, items: Json]>([
  [Int8Array, ["i1", whole(-(2 ** 7), 2 ** 7 - 1)]],
  [Uint8Array, ["u1", whole(0, 2 ** 8 - 1)]],
  [Int16Array, ["i2", whole(-(2 ** 15), 2 ** 15 - 1)]],
  [Uint16Array, ["u2", whole(0, 2 ** 16 - 1)]],
  [Int32Array, ["i4", whole(-(2 ** 31), 2 ** 31 - 1)]],
  [Uint32Array, ["u4", whole(0, 2 ** 32 - 1)]],
  [Float32Array, ["f4", number]],
  [Float64Array, ["f8", number]],
]);

function arraySchema(Type: unknown): Json | undefined {
  const known = arrays.get(Type);
  return known === undefined
    ? undefined
    : { type: "array", items: known[1], description: `Packed: an array of dtype ${known[0]}.` };
}
