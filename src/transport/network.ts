import { readFile, stat } from "node:fs/promises";
import { fileError, SaclaError, show } from "../core/errors.ts";
import { any, optional, resolveOptions } from "../core/options.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Address, OpenScheme } from "./open.ts";
import { replayRecording } from "./wrappers/recording.ts";
import { type RetryPolicy, retryChecks, withRetry } from "./wrappers/with-retry.ts";
import { type CurvePair, keyBytes } from "./zmq/keys.ts";

/** How to connect to a server. Secrets do not belong in addresses, because addresses appear in logs and histories. */
export interface NetworkOptions {
  /** The token for `http:` and `https:`, from `sacla keys`. @default the environment variable SACLA_TOKEN */
  readonly token?: string | undefined;
  /**
   * The file with this client's CURVE keys for `tcp:` and `ipc:`, from `sacla keys`.
   * @default the environment variable SACLA_KEY_FILE
   */
  readonly keyFile?: string | undefined;
  /** What to retry when the connection breaks, and how often. */
  readonly retry?: RetryPolicy | undefined;
}

/** The checks of {@link NetworkOptions}, for `resolveOptions`. */
export const networkChecks = {
  token: any,
  keyFile: any,
  retry: optional((name, value) => resolveOptions(name, value as RetryPolicy, retryChecks)),
};

/**
 * The kinds of address that lead to another machine, and `recording:`. ZeroMQ is loaded when the first one of its kind
 * is opened.
 */
export function networkSchemes(options: NetworkOptions): Readonly<Record<string, OpenScheme>> {
  resolveOptions("networkSchemes", options, networkChecks);
  const zmq: OpenScheme = (address) => openZmq(address, options);
  const http: OpenScheme = (address) => openHttp(address, options);
  return { tcp: zmq, ipc: zmq, http, https: http, recording: openRecording };
}

async function openZmq(
  address: Address,
  { keyFile = fromEnvironment("SACLA_KEY_FILE"), retry }: NetworkOptions,
): Promise<Endpoint> {
  refuseSecrets(address);
  const { zmqEndpoint } = await import("./zmq/client.ts");
  return withRetry(
    zmqEndpoint(address.text, { curve: keyFile === undefined ? undefined : await readKeyFile(keyFile) }),
    retry,
  );
}

async function openHttp(
  address: Address,
  { token = fromEnvironment("SACLA_TOKEN"), retry }: NetworkOptions,
): Promise<Endpoint> {
  refuseSecrets(address);
  const { httpEndpoint } = await import("./http/client.ts");
  return withRetry(httpEndpoint(address.text, { token }), retry);
}

const openRecording: OpenScheme = async ({ path, options }) => {
  if (path === "" || options.size > 0)
    throw new SaclaError("BAD_URL", "The address of a recording has only the file: recording:night-shift.recording");
  return await replayRecording(path);
};

function fromEnvironment(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

/** @throws BAD_URL that does not repeat the address, which may hold a secret */
function refuseSecrets({ text }: Address): void {
  if (!/[@?#]/.test(text)) return;
  const scheme = text.slice(0, text.indexOf(":"));
  throw new SaclaError(
    "BAD_URL",
    `A ${scheme}: address must have only host and port, but has a user name, a password or options. ` +
      "Give a token as SACLA_TOKEN and keys as SACLA_KEY_FILE.",
    { details: { scheme } },
  );
}

/**
 * @throws FILE_NOT_FOUND
 * @throws NOT_ALLOWED when others can read it
 * @throws BAD_TEXT when it is not a file of client keys
 */
async function readKeyFile(path: string): Promise<CurvePair & { readonly serverKey: string }> {
  let text: string;
  try {
    if (process.platform !== "win32" && ((await stat(path)).mode & 0o077) !== 0) {
      throw new SaclaError(
        "NOT_ALLOWED",
        `The key file ${show(path)} can be read by others than its owner. Protect it: chmod 600, and make new keys.`,
        {
          details: { path },
        },
      );
    }
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof SaclaError) throw cause;
    throw fileError("FILE_NOT_FOUND", "Cannot read the key file", path, cause);
  }
  try {
    const { serverKey, publicKey, secretKey } = JSON.parse(text) as Record<string, unknown>;
    if (typeof serverKey !== "string" || typeof publicKey !== "string" || typeof secretKey !== "string")
      throw new TypeError("a key is missing");
    for (const [name, key] of Object.entries({ serverKey, publicKey, secretKey })) keyBytes(name, key);
    return { serverKey, publicKey, secretKey };
  } catch {
    // Without the cause: it could quote the secret.
    throw new SaclaError(
      "BAD_TEXT",
      `The key file ${show(path)} must be JSON with serverKey, publicKey and secretKey, ` +
        "each 40 characters of Z85, as sacla keys writes it.",
      {
        details: { path },
      },
    );
  }
}
