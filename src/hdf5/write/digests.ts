import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { throwIfAborted } from "../../core/async.ts";
import { bytesOf } from "../../core/bytes.ts";
import type { H5File } from "../read/h5file.ts";
import type { H5Numbers, H5Writer } from "./writer.ts";

/** Where files carry the digests of their images: a group for each kind of image, with `path` and `sha256` in it. */
const DIGESTS_PATH = "/sacla/image_digests";
/** Shots in the order of the digests. */
const TAGS_PATH = "/sacla/tags_used";
const DIGEST_BYTES = 32;

/**
 * Collects the SHA-256 (FIPS 180-4) of each image while a file is written. Hashed are the pixels as they are stored
 * before compression: row-major, little-endian, without shape or type; what `hashlib.sha256(image.tobytes())` hashes of
 * an image read by h5py.
 */
export class ImageDigests {
  readonly #kinds: readonly Uint8Array[];
  #shots = 0;

  /** @param kinds - images of a shot */
  constructor(kinds: number, shots: number) {
    this.#kinds = Array.from({ length: kinds }, () => new Uint8Array(shots * DIGEST_BYTES));
  }

  /** Takes the next shot. @param images - null where there is none; its digest stays zero */
  add(images: readonly (H5Numbers | null)[]): void {
    for (const [i, image] of images.entries())
      if (image !== null) this.#kinds[i]?.set(sha256(bytesOf(image)), this.#shots * DIGEST_BYTES);
    this.#shots++;
  }

  /** @param paths - of the images of each kind, `{tag}` for the tag; without it, of their stack */
  write(writer: H5Writer, paths: readonly string[]): void {
    for (const [i, path] of paths.entries()) {
      // NeXus has no names that begin with a digit.
      const group = `${DIGESTS_PATH}/image_${i + 1}`;
      writer.text(`${group}/path`, path);
      writer.numbers(`${group}/sha256`, this.#kinds[i] ?? new Uint8Array(0), [this.#shots, DIGEST_BYTES]);
    }
  }
}

export interface DigestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of shots whose images were compared. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Compares each image of a file with its digest; does nothing in a file without digests.
 * @param check - is given each place and a test of it, which returns what is wrong or throws why it cannot be read
 */
export async function checkDigests(
  file: H5File,
  check: (path: string, test: () => string | null) => void,
  { signal, onProgress }: DigestOptions = {},
): Promise<void> {
  const names = file.keys("/").includes("sacla") ? file.keys(DIGESTS_PATH) : [];
  let done = 0;
  for (const name of names) {
    const group = `${DIGESTS_PATH}/${name}`;
    const table: { path: string; tags: Float64Array; digests: Uint8Array }[] = [];
    check(group, () => {
      const path = file.text(`${group}/path`);
      const tags = file.numbers(TAGS_PATH);
      const { bytes: digests, description } = file.bytes(`${group}/sha256`);
      if (path === undefined || tags === undefined) return `has no ${path === undefined ? "path" : TAGS_PATH}`;
      if (digests.length !== tags.length * DIGEST_BYTES) return `has sha256 ${description} for ${tags.length} shots`;
      table.push({ path, tags, digests });
      return null;
    });
    for (const { path, tags, digests } of table) {
      const total = names.length * tags.length;
      for (const [i, tag] of tags.entries()) {
        throwIfAborted(signal);
        const image = path.replace("{tag}", String(tag));
        const index = image === path ? i : undefined;
        const digest = digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
        check(index === undefined ? image : `${path}[${i}] (tag ${tag})`, () => unlike(file, image, index, digest));
        onProgress?.(++done, total);
        // Ctrl+C is heard between two images.
        await turn();
      }
    }
  }
}

/** What is wrong with an image, or null. */
function unlike(file: H5File, path: string, index: number | undefined, digest: Uint8Array): string | null {
  const isThere = file.kind(path) === "dataset";
  if (digest.every((byte) => byte === 0)) return isThere ? "has no digest, though every image was given one" : null;
  if (!isThere) return "is not there, though it has a digest";
  return sha256(file.bytes(path, index).bytes).equals(digest) ? null : "has other pixels than were converted";
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
