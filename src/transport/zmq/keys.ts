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
    const expected = Buffer.from(proof(server, publicKey, named));
    const given = Buffer.from(routingId.slice(named.length), "latin1");
    return given.length === expected.length && timingSafeEqual(given, expected) ? publicKey : null;
  } catch {
    // Not even a key.
    return null;
  }
}

/** HMAC-SHA256 under the X25519 secret that only the two sides can compute. */
function proof(own: CurvePair, other: string, text: string): string {
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
  return createHmac("sha256", diffieHellman({ privateKey, publicKey })).update(`sacla 1 ${text}`).digest("base64url");
}
