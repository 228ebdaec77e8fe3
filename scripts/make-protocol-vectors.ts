/**
 * Writes fixtures/protocol/messages.json: messages of docs/protocol.md as bytes, and what they say, for every
 * implementation in every language to be tested against. Headers and bytes are written out here by hand, not by the
 * code under test. A test fails while the file is out of date.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

type Dtype = "i1" | "u1" | "i2" | "u2" | "i4" | "u4" | "f4" | "f8";
type Numbers = readonly (number | "NaN" | "Infinity" | "-Infinity")[];

/** An array in `message`: what stands as `{"$frame": …}` in a header. */
interface ArrayOf {
  readonly $array: { readonly dtype: Dtype; readonly values: Numbers };
}

const array = (dtype: Dtype, ...values: Numbers): ArrayOf => ({ $array: { dtype, values } });

/** The bytes of an array: little-endian, as the protocol has them whatever machine this is. */
function bytesOf({ $array: { dtype, values } }: ArrayOf): Uint8Array {
  const size = Number(dtype[1]);
  const bytes = new Uint8Array(size * values.length);
  const view = new DataView(bytes.buffer);
  const set: { [D in Dtype]: (at: number, value: number) => void } = {
    i1: (at, value) => view.setInt8(at, value),
    u1: (at, value) => view.setUint8(at, value),
    i2: (at, value) => view.setInt16(at, value, true),
    u2: (at, value) => view.setUint16(at, value, true),
    i4: (at, value) => view.setInt32(at, value, true),
    u4: (at, value) => view.setUint32(at, value, true),
    f4: (at, value) => view.setFloat32(at, value, true),
    f8: (at, value) => view.setFloat64(at, value, true),
  };
  for (const [i, value] of values.entries()) set[dtype](i * size, Number(value));
  return bytes;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** u32 number of parts, u32 length of each, then the parts, each at a multiple of 8 bytes. */
function pack(parts: readonly Uint8Array[]): Uint8Array {
  const pad = (n: number): number => (8 - (n % 8)) % 8;
  const head = new Uint8Array(4 * (parts.length + 1) + pad(4 * (parts.length + 1)));
  const view = new DataView(head.buffer);
  view.setUint32(0, parts.length, true);
  for (const [i, part] of parts.entries()) view.setUint32(4 * (i + 1), part.length, true);
  return Buffer.concat([head, ...parts.flatMap((part) => [part, new Uint8Array(pad(part.length))])]);
}

interface Good {
  readonly name: string;
  /**
   * What the message says: the header's keys, arrays as `{"$array": {"dtype", "values"}}`, `{"$number": …}` as in the
   * header.
   */
  readonly message: object;
  /** Base64 of each part: the header, then the frames. */
  readonly parts: readonly string[];
  /** Base64 of the packed form. */
  readonly packed: string;
}

/** `header` holds `{"$frame": i, …}` where `message` has array i. */
function good(name: string, header: object, ...arrays: ArrayOf[]): Good {
  const text = JSON.stringify({ sacla: 1, ...header });
  const parts = [utf8(text), ...arrays.map(bytesOf)];
  const filled: unknown = JSON.parse(text, (key, value: unknown) => {
    if (key === "sacla") return undefined;
    const index = typeof value === "object" && value !== null && "$frame" in value ? Number(value.$frame) : -1;
    return arrays[index] ?? value;
  });
  return { name, message: filled as object, parts: parts.map(base64), packed: base64(pack(parts)) };
}

const frame = ($frame: number, dtype: Dtype): object => ({ $frame, dtype });

const goodMessages: Good[] = [
  good("call", { kind: "call", id: 0, method: "db.readRuninfo", value: { bl: 3, run: 206178 } }),
  good("call without parameters", { kind: "call", id: 1, method: "db.listBeamlines", value: {} }),
  good("call with a deadline and a key", {
    kind: "call",
    id: 9007199254740991,
    method: "x.y",
    value: {},
    timeoutMs: 2500.5,
    key: "3f0c",
  }),
  good(
    "call with an array",
    {
      kind: "call",
      id: 2,
      method: "db.readSyncdatalistFloat",
      value: { equipId: "a/b", hightag: 202502, tags: frame(0, "u4") },
    },
    array("u4", 1000, 1002, 4294967295),
  ),
  good(
    "stream",
    {
      kind: "stream",
      id: 3,
      method: "st.frames",
      value: { bl: 3, run: 10, detIds: ["MPCCD-8B0-2-008-1"], tags: frame(0, "u4"), roi: null },
      credit: 4,
      timeoutMs: 10000,
    },
    array("u4", 1000),
  ),
  good("credit", { kind: "credit", id: 3, credit: 1 }),
  good("cancel", { kind: "cancel", id: 3 }),
  good("ping", { kind: "ping", id: 4 }),
  good("result: text beyond ASCII", { kind: "result", id: 0, value: { comment: '粉末 é “"” \n', tags: [] } }),
  good("result: null", { kind: "result", id: 0, value: null }),
  good("result: numbers JSON cannot hold", {
    kind: "result",
    id: 5,
    value: { a: { $number: "NaN" }, b: [{ $number: "Infinity" }, { $number: "-Infinity" }, -1.5e-300, 0] },
  }),
  good(
    "result: every dtype",
    {
      kind: "result",
      id: 6,
      value: {
        i1: frame(0, "i1"),
        u1: frame(1, "u1"),
        i2: frame(2, "i2"),
        u2: frame(3, "u2"),
        i4: frame(4, "i4"),
        u4: frame(5, "u4"),
        f4: frame(6, "f4"),
        f8: frame(7, "f8"),
      },
    },
    array("i1", -128, 127),
    array("u1", 0, 255, 1),
    array("i2", -32768, 32767),
    array("u2", 0, 65535, 258),
    array("i4", -2147483648, 2147483647),
    array("u4", 0, 4294967295),
    array("f4", 1.5, "NaN", "Infinity", "-Infinity", -0.25),
    array("f8", 1e-300, "NaN", "Infinity", "-Infinity", Math.PI),
  ),
  good("result: an empty array", { kind: "result", id: 7, value: frame(0, "u4") }, array("u4")),
  good(
    "result: one frame used twice",
    { kind: "result", id: 8, value: [frame(0, "u2"), frame(0, "u2")] },
    array("u2", 7),
  ),
  good(
    "result: frames in another order than used",
    { kind: "result", id: 8, value: [frame(1, "u1"), frame(0, "u1")] },
    array("u1", 1),
    array("u1", 2),
  ),
  good(
    "item",
    {
      kind: "item",
      id: 3,
      seq: 0,
      value: {
        tag: 1000,
        frames: [{ detId: "MPCCD-8B0-2-008-1", shape: [2, 3], data: frame(0, "u2") }],
        missing: [{ detId: "X", reason: "frame-missing" }],
      },
    },
    array("u2", 1, 2, 3, 4, 5, 65535),
  ),
  good("end", { kind: "end", id: 3 }),
  good("error", {
    kind: "error",
    id: 0,
    error: { code: "UNKNOWN_RUN", message: "There is no run 7 on beamline 3.", details: { bl: 3, run: 7 } },
  }),
  good("error to a message without an id", {
    kind: "error",
    id: null,
    error: { code: "BAD_MESSAGE", message: "A message header is not JSON.", details: {} },
  }),
  good("pong", { kind: "pong", id: 4 }),
];

interface Bad {
  readonly name: string;
  readonly parts: readonly string[];
  /** The id that the answering error carries. */
  readonly id: number | null;
}

function bad(name: string, id: number | null, header: unknown, ...frames: Uint8Array[]): Bad {
  const head =
    header instanceof Uint8Array ? header : utf8(typeof header === "string" ? header : JSON.stringify(header));
  return { name, parts: [head, ...frames].map(base64), id };
}

const call = { sacla: 1, kind: "call", id: 7, method: "db.readRuninfo", value: { bl: 3, run: 1 } };
const four = new Uint8Array(4);

/** Each is answered by an `error` with code BAD_MESSAGE. */
const badMessages: Bad[] = [
  { name: "no parts", parts: [], id: null },
  bad("an empty header", null, ""),
  bad("not JSON", null, "{"),
  bad("not UTF-8", null, Uint8Array.of(0x22, 0xff, 0x22)),
  bad("a list", null, []),
  bad("null", null, "null"),
  bad("no version", 7, { ...call, sacla: undefined }),
  bad("another version", 7, { ...call, sacla: 2 }),
  bad("the version as text", 7, { ...call, sacla: "1" }),
  bad("no kind", 7, { ...call, kind: undefined }),
  bad("an unknown kind", 7, { ...call, kind: "shout" }),
  bad("no id", null, { ...call, id: undefined }),
  bad("an id below 0", null, { ...call, id: -1 }),
  bad("an id with a fraction", null, { ...call, id: 1.5 }),
  bad("an id above 2^53", null, '{"sacla":1,"kind":"ping","id":9007199254740993}'),
  bad("an id as text", null, { ...call, id: "7" }),
  bad("no method", 7, { ...call, method: undefined }),
  bad("an empty method", 7, { ...call, method: "" }),
  bad("a method that is a number", 7, { ...call, method: 5 }),
  bad("a method of 201 characters", 7, { ...call, method: "m".repeat(201) }),
  bad("no value", 7, { ...call, value: undefined }),
  bad("parameters as a list", 7, { ...call, value: [3, 1] }),
  bad("parameters that are an array", 7, { ...call, value: { $frame: 0, dtype: "u1" } }, four),
  bad("a deadline below 0", 7, { ...call, timeoutMs: -1 }),
  bad("a deadline of NaN", 7, { ...call, timeoutMs: { $number: "NaN" } }),
  bad("a deadline as text", 7, { ...call, timeoutMs: "5" }),
  bad("an empty key", 7, { ...call, key: "" }),
  bad("a key that is a number", 7, { ...call, key: 5 }),
  bad("a stream without credit", 7, { ...call, kind: "stream" }),
  bad("a stream with no credit at all", 7, { ...call, kind: "stream", credit: 0 }),
  bad("credit with a fraction", 7, { sacla: 1, kind: "credit", id: 7, credit: 0.5 }),
  bad("a result without a value", 7, { sacla: 1, kind: "result", id: 7 }),
  bad("an item without seq", 7, { sacla: 1, kind: "item", id: 7, value: 1 }),
  bad("an error without code", 7, { sacla: 1, kind: "error", id: 7, error: { message: "?" } }),
  bad("a frame that nothing uses", 7, call, four),
  bad("a frame that is not there", 7, { ...call, value: { a: { $frame: 0, dtype: "u1" } } }),
  bad("a frame index below 0", 7, { ...call, value: { a: { $frame: -1, dtype: "u1" } } }, four),
  bad("a frame index as text", 7, { ...call, value: { a: { $frame: "0", dtype: "u1" } } }, four),
  bad("an unknown dtype", 7, { ...call, value: { a: { $frame: 0, dtype: "f2" } } }, four),
  bad("a dtype from the prototype", 7, { ...call, value: { a: { $frame: 0, dtype: "toString" } } }, four),
  bad("a frame with half an element", 7, { ...call, value: { a: { $frame: 0, dtype: "u4" } } }, new Uint8Array(6)),
  bad("a number that is none", 7, { ...call, value: { a: { $number: "12" } } }),
  bad("an unknown key with $", 7, { ...call, value: { $date: 1 } }),
  bad(
    "nesting without end",
    7,
    `{"sacla":1,"kind":"call","id":7,"method":"m","value":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`,
  ),
];

/** Packed forms that hold no message. */
const one = pack([utf8(JSON.stringify(call))]);
const badPacked: { readonly name: string; readonly packed: string }[] = [
  { name: "nothing", packed: "" },
  { name: "no parts", packed: base64(new Uint8Array(8)) },
  { name: "half a table", packed: base64(one.subarray(0, 6)) },
  { name: "a part cut short", packed: base64(one.subarray(0, one.length - 8)) },
  { name: "bytes after the end", packed: base64(Buffer.concat([one, new Uint8Array(8)])) },
  { name: "more parts than there can be", packed: base64(Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)) },
];

/** The text of the file. */
export function vectorsText(): string {
  const about =
    "Test vectors of docs/protocol.md, made by scripts/make-protocol-vectors.ts. good: " +
    "decode(parts) is message, and encoding message gives the same. bad: refused with BAD_MESSAGE, answered with that id.";
  return `${JSON.stringify({ about, good: goodMessages, bad: badMessages, badPacked }, null, 1)}\n`;
}

const file = new URL("../fixtures/protocol/messages.json", import.meta.url);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, vectorsText());
}
