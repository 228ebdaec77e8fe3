/** An answer that has been packed: all who ask the same are sent the same bytes. */
export class PackedAnswer<T = unknown> {
  /** One packed message: see docs/protocol.md. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What is in it; shares the memory of `bytes`. */
  readonly value: T;

  constructor(bytes: Uint8Array<ArrayBuffer>, value: T) {
    this.bytes = bytes;
    this.value = value;
  }
}
