import { SaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import { defined } from "../core/options.ts";
import type { FrameMemory } from "../transport/endpoint.ts";

/** Values of one answer: signals × tags. 18 MB packed, about 40 MB as JSON. */
export const MOST_VALUES = 2_000_000;
/** Tags of one answer whose values are texts, or of whose images each is looked for in a file. */
const MOST_TEXTS = 500_000;
/** Images whose place in a file one request asks for: each takes a look at tables of the file. */
const MOST_OFFSETS = 10_000;
/** Signals that one request names. */
const MOST_SIGNALS = 1000;
/** Detectors that one request names. */
const MOST_DETECTORS = 256;
/** Pixels of one item of a stream, in bytes: all sensors of the largest detector, 20 million pixels of float32. */
export const MOST_ITEM_BYTES: number = 128 * 2 ** 20;

/**
 * Refuses a request whose answer would be too large, with how to ask for it in parts: `details.ask` names the parameter
 * and how many of it one request may have. Clients of this package do so by themselves.
 * @throws TOO_LARGE
 */
export function checkBudget(method: string, params: unknown): void {
  if (!isRecord(params)) return;
  for (const [name, { what, most }] of Object.entries(namedLists)) {
    const list = params[name];
    if (Array.isArray(list) && list.length > most) throw tooMuch(method, what, name, list.length, most);
  }
  const { tags, equipIds } = params;
  if (!(tags instanceof Uint32Array)) return;
  if (method === "db.readColumns" && Array.isArray(equipIds)) {
    const most = Math.floor(MOST_VALUES / Math.max(1, equipIds.length));
    if (tags.length > most) throw tooMuch(method, `tags of ${equipIds.length} signals`, "tags", tags.length, most);
  }
  const most = mostTags[method] ?? (method.startsWith("db.") ? MOST_VALUES : Infinity);
  if (tags.length > most) throw tooMuch(method, "tags", "tags", tags.length, most);
}

const mostTags: Readonly<Record<string, number>> = {
  "db.readSyncdatalist": MOST_TEXTS,
  "st.readImageOffsets": MOST_OFFSETS,
  "st.readImageStates": MOST_TEXTS,
};

const namedLists: Readonly<Record<string, { readonly what: string; readonly most: number }>> = {
  equipIds: { what: "signals", most: MOST_SIGNALS },
  signals: { what: "signals", most: MOST_SIGNALS },
  detIds: { what: "detectors", most: MOST_DETECTORS },
  sensorIds: { what: "sensors", most: MOST_DETECTORS },
};

/** Memory for the frames of a stream, `inner` or memory of its own, that refuses an item of too many bytes. */
export class ItemBudget {
  readonly #method: string;
  readonly #inner: FrameMemory | undefined;
  readonly #own = new Map<string, ReturnType<FrameMemory>>();
  #frames = 0;
  #bytes = 0;

  constructor(method: string, inner: FrameMemory | undefined) {
    this.#method = method;
    this.#inner = inner;
  }

  /** To be called before each item. */
  begin(): void {
    this.#frames = 0;
    this.#bytes = 0;
  }

  /** @throws TOO_LARGE */
  readonly memory: FrameMemory = (detId, length, type) => {
    this.#bytes += length * (type === "uint16" ? 2 : 4);
    if (this.#bytes > MOST_ITEM_BYTES && this.#frames > 0) {
      const what = `detectors, more than ${MOST_ITEM_BYTES} bytes of pixels for each shot`;
      throw tooMuch(this.#method, what, "detIds", undefined, this.#frames);
    }
    this.#frames++;
    return this.#inner?.(detId, length, type) ?? this.#ownOf(detId, length, type);
  };

  #ownOf(detId: string, length: number, type: "float32" | "uint16"): ReturnType<FrameMemory> {
    const Type = type === "uint16" ? Uint16Array : Float32Array;
    const kept = this.#own.get(detId);
    if (kept instanceof Type && kept.length === length) return kept;
    const made = new Type(length);
    this.#own.set(detId, made);
    return made;
  }
}

function tooMuch(method: string, what: string, name: string, asked: number | undefined, most: number): SaclaError {
  const many = asked === undefined ? "too many" : String(asked);
  return new SaclaError(
    "TOO_LARGE",
    `${method} asks for ${many} ${what} at once; ask in parts of at most ${most} ${name}.`,
    { details: { ask: { [name]: most }, ...defined({ asked }) } },
  );
}
