import { type ErrorCode, errorCatalogue, SaclaError, show } from "../../core/errors.ts";
import { decodeMessage, fromWireError } from "../codec.ts";
import { PACKED_TYPE, unpackParts } from "../packed.ts";

/** What a status means when the body does not say it: something between here and the server has answered. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  401: "NOT_AUTHENTICATED",
  403: "NOT_ALLOWED",
  407: "NOT_AUTHENTICATED",
  408: "TIMEOUT",
  413: "TOO_LARGE",
  414: "TOO_LARGE",
  429: "TOO_MANY_REQUESTS",
  502: "UNREACHABLE",
  503: "UNREACHABLE",
  504: "UNREACHABLE",
};

/** More than any error needs; a page for people may be longer. */
const LONGEST_ERROR = 65_536;

/** The error that an answer stands for; undefined when it is a packed answer to be read. */
export async function errorOfResponse(response: Response, base: string): Promise<SaclaError | undefined> {
  const type = (response.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (response.ok && type === PACKED_TYPE) return undefined;
  const details = { url: base, status: response.status };
  const location = response.headers.get("location");
  if (location !== null && response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    const advice = "connect to the server itself, or sign in there first";
    const message = `${base} leads elsewhere, to ${show(location)}; ${advice}.`;
    return new SaclaError("UNREACHABLE", message, { details: { ...details, location } });
  }
  const body = await readStart(response);
  const told = response.ok ? undefined : ((type === PACKED_TYPE ? fromPacked(body) : fromJson(body)) ?? undefined);
  if (told !== undefined) return told;
  const text = new TextDecoder().decode(body.subarray(0, 200)).trim();
  const code = codeOfStatus[response.status] ?? "BAD_MESSAGE";
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  const later = code === "TOO_MANY_REQUESTS" && Number.isFinite(seconds) ? { retryAfterMs: 1000 * seconds } : {};
  const message =
    `${base} answered with status ${response.status} ` +
    `and ${type === undefined || type === "" ? "no content type" : type}, which no sacla server does: ${show(text)}.`;
  return new SaclaError(code, message, { details: { ...details, ...later } });
}

async function readStart(response: Response): Promise<Uint8Array> {
  const start = new Uint8Array(LONGEST_ERROR);
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined && length < LONGEST_ERROR) {
    const { done, value } = await reader.read();
    if (done) break;
    const taken = value.subarray(0, LONGEST_ERROR - length);
    start.set(taken, length);
    length += taken.byteLength;
  }
  reader?.cancel().catch(() => {});
  return start.subarray(0, length);
}

function fromPacked(body: Uint8Array): SaclaError | undefined {
  try {
    const message = decodeMessage(unpackParts(body), { copy: true });
    return message.kind === "error" ? fromWireError(message.error) : undefined;
  } catch {
    return undefined;
  }
}

function fromJson(body: Uint8Array): SaclaError | undefined {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(body)) as {
      error: { code: unknown; message: unknown; details: unknown };
    };
    const { code, message, details } = error;
    if (typeof code !== "string" || typeof message !== "string") return undefined;
    const known = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "INTERNAL";
    return fromWireError({ code: known, message, details });
  } catch {
    return undefined;
  }
}
