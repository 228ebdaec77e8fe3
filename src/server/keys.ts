import { createHash, generateKeyPairSync, randomBytes, timingSafeEqual } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { SaclaError, show, showList, toSaclaError } from "../core/errors.ts";
import { asOneOf, badArgument, isRecord } from "../core/guards.ts";
import { createFile, replaceFile } from "../files/index.ts";
import { type CurvePair, keyText } from "../transport/zmq/keys.ts";
import type { Client, Role } from "./service.ts";

export const roles: readonly Role[] = ["read", "control", "operator"];

/** A key as it is listed: never with its secret. */
export interface KeyEntry {
  /** Short, public, unique in the file. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** `token`: a bearer token for HTTP. `curve`: a CURVE key pair for ZeroMQ. */
  readonly kind: "token" | "curve";
  /** When it was made, ISO 8601. */
  readonly made: string;
}

interface TokenKey extends KeyEntry {
  readonly kind: "token";
  readonly salt: string;
  readonly hash: string;
}
interface CurveKey extends KeyEntry {
  readonly kind: "curve";
  readonly publicKey: string;
}
type StoredKey = TokenKey | CurveKey;

/** @internal What sessions of the page are signed with. */
export type TokenSecret = Pick<TokenKey, "id" | "name" | "role" | "hash">;

interface Stored {
  readonly saclaKeys: 1;
  /** The server's own pair; the clients know its public key. */
  readonly server: CurvePair;
  readonly keys: readonly StoredKey[];
}

/**
 * The clients a server knows, in one JSON file that only its owner can read: of a token its salted SHA-256, of a CURVE
 * pair its public key. The file is read again when it has changed, so that a revoked key stops working at once.
 *
 * @example
 * const keys = Keys.open("keys.json");
 * keys.clientOfToken(token); // { name: "beamtime laptop", role: "read" } or null
 */
export class Keys {
  readonly path: string;
  #stored: Stored;
  #version: string;

  /**
   * The keys of an existing file.
   * @throws FILE_NOT_FOUND
   * @throws BAD_TEXT when it is not a file of keys
   * @throws NOT_ALLOWED when others can read it
   */
  static open(path: string): Keys {
    return new Keys(path);
  }

  private constructor(path: string) {
    this.path = path;
    this.#version = versionOf(path);
    this.#stored = readKeys(path);
  }

  /** The keys there are. */
  list(): KeyEntry[] {
    return this.#current().keys.map(({ id, name, role, kind, made }) => ({ id, name, role, kind, made }));
  }

  /** The server's own CURVE pair. */
  get server(): CurvePair {
    return this.#current().server;
  }

  /** Who has the token; null when nobody has. Takes the same time for every wrong token. */
  clientOfToken(token: string): Client | null {
    const id = /^sacla_([a-z0-9]{8})_/.exec(token)?.[1];
    const key = this.#current().keys.find((entry) => entry.kind === "token" && entry.id === id);
    const { salt, hash } = key?.kind === "token" ? key : nobody;
    const isRight = timingSafeEqual(Buffer.from(hashToken(salt, token), "hex"), Buffer.from(hash, "hex"));
    return key !== undefined && isRight ? { name: key.name, role: key.role } : null;
  }

  /** @internal The key of a token as it is stored, by its id or the token itself; undefined when there is none. */
  tokenSecret(idOrToken: string): TokenSecret | undefined {
    const isToken = idOrToken.startsWith("sacla_");
    if (isToken && this.clientOfToken(idOrToken) === null) return undefined;
    const id = isToken ? idOrToken.slice("sacla_".length, "sacla_".length + 8) : idOrToken;
    return this.#current().keys.find((key): key is TokenKey => key.kind === "token" && key.id === id);
  }

  /** Who has the CURVE public key (Z85); null when nobody has. That it is theirs, the CURVE handshake proves. */
  clientOfCurve(publicKey: string): Client | null {
    const key = this.#current().keys.find((entry) => entry.kind === "curve" && entry.publicKey === publicKey);
    return key === undefined ? null : { name: key.name, role: key.role };
  }

  #current(): Stored {
    const version = versionOf(this.path);
    if (version !== this.#version) {
      this.#stored = readKeys(this.path);
      this.#version = version;
    }
    return this.#stored;
  }
}

/**
 * Makes a bearer token for HTTP and adds its hash to the file, which is made when it is not there. The token is in no
 * file: it is given here and never again.
 * @throws BAD_ARGUMENT for a name that is empty, over 64 characters or taken
 */
export function newToken(path: string, name: string, role: Role): { entry: KeyEntry; token: string } {
  const entry = { ...newEntry(name, role), kind: "token" as const };
  const token = `sacla_${entry.id}_${randomBytes(32).toString("base64url")}`;
  const salt = randomBytes(16).toString("hex");
  changeKeys(path, (keys) => withKey(keys, { ...entry, salt, hash: hashToken(salt, token) }));
  return { entry, token };
}

/**
 * Makes a CURVE pair for ZeroMQ, adds its public key to the file and writes `clientFile` (mode 0600), which the client
 * names in SACLA_KEY_FILE: both of its keys and the server's public one.
 * @throws FILE_EXISTS when there is a `clientFile`
 * @throws BAD_ARGUMENT as {@link newToken}
 */
export function newCurveKey(path: string, name: string, role: Role, clientFile: string): KeyEntry {
  const entry = { ...newEntry(name, role), kind: "curve" as const };
  const pair = curvePair();
  changeKeys(path, (keys, server) => {
    const changed = withKey(keys, { ...entry, publicKey: pair.publicKey });
    createFile(clientFile, `${JSON.stringify({ serverKey: server.publicKey, ...pair }, null, 2)}\n`, 0o600);
    return changed;
  });
  return entry;
}

/**
 * Takes a key, named by its id or name, out of the file. A server that runs refuses it from then on.
 * @throws BAD_ARGUMENT when there is none
 */
export function revokeKey(path: string, which: string): KeyEntry {
  const isMeant = ({ id, name }: KeyEntry): boolean => id === which || name === which;
  const key = Keys.open(path).list().find(isMeant);
  if (key === undefined) {
    const known = Keys.open(path).list();
    throw badArgument(
      "key",
      which,
      `the id or name of one of: ${showList(known.map(({ id, name }) => `${id} (${name})`))}`,
    );
  }
  changeKeys(path, (keys) => keys.filter((other) => !isMeant(other)));
  return key;
}

function newEntry(name: string, role: Role): Omit<KeyEntry, "kind"> {
  asOneOf("role", role, roles);
  // It stands in logs and in the audit: one line, nothing that a terminal obeys.
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u.test(name))
    throw badArgument("name", name, "1 to 64 letters, digits, spaces, dots, dashes or @");
  return { id: randomId(), name, role, made: new Date().toISOString() };
}

function withKey(keys: readonly StoredKey[], key: StoredKey): StoredKey[] {
  if (keys.some(({ name }) => name === key.name))
    throw badArgument("name", key.name, "a name that no key in the file has yet");
  return [...keys, key];
}

/** What a wrong token is compared with when its id is unknown, so that it takes as long. */
const nobody = { salt: "00".repeat(16), hash: "00".repeat(32) };

/** One round is enough: a token has 256 random bits, nothing that could be guessed. */
function hashToken(salt: string, token: string): string {
  return createHash("sha256").update(salt, "hex").update(token).digest("hex");
}

function randomId(): string {
  return Array.from(randomBytes(8), (byte) => "abcdefghijkmnpqrstuvwxyz23456789".charAt(byte % 32)).join("");
}

/** A Curve25519 pair as ZeroMQ wants it: 32 raw bytes each (RFC 7748), in Z85 (ZeroMQ RFC 32). */
function curvePair(): CurvePair {
  const { x, d } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  if (x === undefined || d === undefined)
    throw new SaclaError("INTERNAL", "Node.js made an X25519 key without its numbers.");
  return { publicKey: keyText(Buffer.from(x, "base64url")), secretKey: keyText(Buffer.from(d, "base64url")) };
}

/** Something that differs whenever the file has been replaced. */
function versionOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs} ${stat.size} ${stat.mode}`;
}

function readKeys(path: string): Stored {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new SaclaError(
      "FILE_NOT_FOUND",
      `There is no file of keys ${show(path)}; make one with: sacla keys new NAME --role read --keys ${path}`,
    );
  if (process.platform !== "win32" && (stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    throw new SaclaError(
      "NOT_ALLOWED",
      `Others can read the file of keys ${show(path)} (mode ${mode}); close it with: chmod 600 ${path}`,
    );
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw toSaclaError(error, "FILE_NOT_FOUND", `The file of keys ${show(path)} cannot be read`);
  }
  const stored = parse(text);
  if (isStored(stored)) return stored;
  throw new SaclaError("BAD_TEXT", `${show(path)} is not a file of keys that sacla keys has written.`, {
    details: { path },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isZ85 = (value: unknown): boolean => typeof value === "string" && value.length === 40;
const isHex = (value: unknown, bytes: number): boolean =>
  typeof value === "string" && value.length === 2 * bytes && /^[0-9a-f]*$/.test(value);

function isStored(value: unknown): value is Stored {
  if (!isRecord(value) || value["saclaKeys"] !== 1 || !isRecord(value["server"]) || !Array.isArray(value["keys"]))
    return false;
  return isZ85(value["server"]["publicKey"]) && isZ85(value["server"]["secretKey"]) && value["keys"].every(isStoredKey);
}

function isStoredKey(key: unknown): boolean {
  if (!isRecord(key) || ![key["id"], key["name"], key["made"]].every((text) => typeof text === "string")) return false;
  if (!roles.some((role) => role === key["role"])) return false;
  return key["kind"] === "curve"
    ? isZ85(key["publicKey"])
    : key["kind"] === "token" && isHex(key["salt"], 16) && isHex(key["hash"], 32);
}

/**
 * Replaces the file by what `change` makes of its keys. Of two processes at a time one is refused, so that none loses
 * the other's key.
 */
function changeKeys(
  path: string,
  change: (keys: readonly StoredKey[], server: CurvePair) => readonly StoredKey[],
): void {
  const lock = `${path}.tmp`;
  try {
    closeSync(openSync(lock, "wx", 0o600));
  } catch (error) {
    const hint = existsSync(lock) ? ` Another sacla keys is at work; if none is, one has died: remove ${lock}.` : "";
    throw new SaclaError("WRITE_FAILED", `The file of keys ${show(path)} cannot be written.${hint}`, {
      details: { path },
      cause: error,
    });
  }
  try {
    const { server, keys } = existsSync(path) ? readKeys(path) : { server: curvePair(), keys: [] };
    const stored: Stored = { saclaKeys: 1, server, keys: change(keys, server) };
    replaceFile(path, `${JSON.stringify(stored, null, 2)}\n`, 0o600);
  } finally {
    rmSync(lock, { force: true });
  }
}
