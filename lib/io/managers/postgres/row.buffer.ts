// Fields as COPY's binary format takes them: the length of each, then its bytes. Numbers of many bytes begin with the highest.
const NULL_LENGTH = -1;
/** Strings and bytes shorter than this are written one by one, which is faster than a call that leaves JavaScript. */
const SHORT = 32;
/** Microseconds below this are whole numbers of JavaScript. */
const EXACT_MILLISECONDS = 9_000_000_000_000;
const TWO_TO_32 = 2 ** 32;

/** Grows as it is filled. */
export class RowBuffer {
  #bytes: Buffer;
  #view: DataView;
  #at = 0;

  constructor(private readonly capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at;
  }

  /** What was written, the caller's from now on. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#at);
    this.#bytes = Buffer.allocUnsafeSlow(this.capacity);
    this.#view = viewOf(this.#bytes);
    this.#at = 0;
    return taken;
  }

  /** As it stands, without a length. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    if (length < SHORT) for (let index = 0; index < length; index++) this.#bytes[this.#at + index] = bytes[index]!;
    else this.#bytes.set(bytes, this.#at);
    this.#at += length;
  }

  /** A number of 16 bits, without a length: how many fields follow. */
  count(fields: number): void {
    this.#reserve(2);
    this.#view.setInt16(this.#at, fields);
    this.#at += 2;
  }

  null(): void {
    this.#reserve(4);
    this.#view.setInt32(this.#at, NULL_LENGTH);
    this.#at += 4;
  }

  byte(value: number): void {
    this.#begin(1);
    this.#bytes[this.#at++] = value;
  }

  int16(value: number): void {
    this.#begin(2);
    this.#view.setInt16(this.#at, value);
    this.#at += 2;
  }

  int32(value: number): void {
    this.#begin(4);
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
  }

  int64(value: bigint): void {
    this.#begin(8);
    this.#view.setBigInt64(this.#at, value);
    this.#at += 8;
  }

  float32(value: number): void {
    this.#begin(4);
    this.#view.setFloat32(this.#at, value);
    this.#at += 4;
  }

  float64(value: number): void {
    this.#begin(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  /** Milliseconds as microseconds of 64 bits. */
  microseconds(milliseconds: number): void {
    if (Math.abs(milliseconds) > EXACT_MILLISECONDS) {
      this.int64(BigInt(milliseconds) * 1000n);
      return;
    }
    const value = milliseconds * 1000;
    const high = Math.floor(value / TWO_TO_32);
    this.#begin(8);
    this.#view.setInt32(this.#at, high);
    this.#view.setUint32(this.#at + 4, value - high * TWO_TO_32);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.#begin(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** UTF-8, behind `prefix` if there is one. */
  text(value: string, prefix?: number): void {
    const start = this.#at;
    const head = prefix === undefined ? 4 : 5;
    this.#reserve(head + 3 * value.length);
    if (prefix !== undefined) this.#bytes[start + 4] = prefix;
    const written = this.#ascii(value, start + head) ?? this.#bytes.write(value, start + head);
    this.#view.setInt32(start, head - 4 + written);
    this.#at = start + head + written;
  }

  /** What `write` writes, as one field. */
  nested(write: () => void): void {
    const start = this.#at;
    this.null();
    write();
    this.#view.setInt32(start, this.#at - start - 4);
  }

  /** The length of a short string of plain characters, written; undefined for any other. */
  #ascii(value: string, at: number): number | undefined {
    const { length } = value;
    if (length >= SHORT) return undefined;
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 128) return undefined;
      bytes[at + index] = code;
    }
    return length;
  }

  #begin(length: number): void {
    this.#reserve(4 + length);
    this.#view.setInt32(this.#at, length);
    this.#at += 4;
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * this.#bytes.length + length);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
