import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { badArgument } from "../../core/guards.ts";

/** A CURVE key pair, both keys as 40 characters of Z85 (ZeroMQ RFC 32). */
export interface CurvePair {
  readonly publicKey: string;
  readonly secretKey: string;
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
/** 32 bytes. */
const KEY_LENGTH = 40;
/** 16 bytes as base64url. */
const NONCE_LENGTH = 22;

/** The 32 bytes of a key in Z85. @throws BAD_ARGUMENT; the message does not show the key, which may be a secret */
export function keyBytes(name: string, key: string): Uint8Array {
  const digits = Array.from(key, (character) => alphabet.indexOf(character));
  if (key.length !== KEY_LENGTH || digits.includes(-1))
    throw badArgument(name, `text of ${key.length} characters`, "a CURVE key: 40 characters of Z85");
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 8; i++) {
    const value = digits.slice(5 * i, 5 * i + 5).reduce((sum, digit) => sum * 85 + digit, 0);
    if (value > 0xffff_ffff)
      throw badArgument(name, `text of ${key.length} characters`, "a CURVE key: 40 characters of Z85");
    view.setUint32(4 * i, value);
  }
  return bytes;
}

/** 32 bytes as Z85. */
export function keyText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let i = 0; i < bytes.byteLength; i += 4) {
    let value = view.getUint32(i);
    let five = "";
    for (let k = 0; k < 5; k++) {
      five = alphabet.charAt(value % 85) + five;
      value = Math.floor(value / 85);
    }
    text += five;
  }
  return text;
}

/**
 * The routing id by which a client names itself to a CURVE server: its public key, random characters and a proof that
 * it has the secret key. ZeroMQ proves that the other side has *some* known key, but zeromq.js does not say which.
 */
export function provenRoutingId(own: CurvePair, serverKey: string): string {
  const named = own.publicKey + randomBytes(16).toString("base64url");
  return named + proof(own, serverKey, named);
}

/** The public key of the client that made the routing id; null when its proof does not hold. */
export function provenOwner(server: CurvePair, routingId: string): string | null {
  const publicKey = routingId.slice(0, KEY_LENGTH);
  const named = routingId.slice(0, KEY_LENGTH + NONCE_LENGTH);
  try {
    return isSame(proof(server, publicKey, named), routingId.slice(named.length)) ? publicKey : null;
  } catch {
    // Not even a key.
    return null;
  }
}

/**
 * Proves, for each call that changes something, who sends it: a routing id that has become known is of no use to
 * another client, because the proof of a call needs the secret key, too.
 */
export class CallProofs {
  readonly #secret: Uint8Array;
  readonly #routingId: string;

  /** Of one connection, at either end. @param other - public key of the other end */
  constructor(own: CurvePair, other: string, routingId: string) {
    this.#secret = sharedSecret(own, other);
    this.#routingId = routingId;
  }

  /** @param key - the idempotency key of the call */
  make(key: string): string {
    return hmac(this.#secret, `sacla 1 call ${this.#routingId} ${key}`);
  }

  isValid(key: string, given: string): boolean {
    return isSame(this.make(key), given);
  }
}

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given, "latin1")];
  return a.length === b.length && timingSafeEqual(a, b);
}

function proof(own: CurvePair, other: string, text: string): string {
  return hmac(sharedSecret(own, other), `sacla 1 ${text}`);
}

function hmac(secret: Uint8Array, text: string): string {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

/** The X25519 secret that only the two sides can compute. */
function sharedSecret(own: CurvePair, other: string): Uint8Array {
  const coordinates = (name: string, key: string): string => Buffer.from(keyBytes(name, key)).toString("base64url");
  const point = (key: string): { kty: string; crv: string; x: string } => ({
    kty: "OKP",
    crv: "X25519",
    x: coordinates("public key", key),
  });
  const privateKey = createPrivateKey({
    key: { ...point(own.publicKey), d: coordinates("secret key", own.secretKey) },
    format: "jwk",
  });
  const publicKey = createPublicKey({ key: point(other), format: "jwk" });
  return diffieHellman({ privateKey, publicKey });
}
