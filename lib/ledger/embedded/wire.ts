// The frame of PostgreSQL's wire messages: a type byte, a length that counts itself, a payload.

/** One whole message with a text payload. */
export function frontendMessage(type: string, payload = ''): Buffer {
  const length = Buffer.byteLength(payload);
  const message = Buffer.allocUnsafe(5 + length);
  message.write(type, 0, 'latin1');
  message.writeUInt32BE(4 + length, 1);
  message.write(payload, 5);
  return message;
}

/** Cuts bytes into whole messages; yields views. An unfinished one at the end is not yielded. */
export function* readMessages(bytes: Buffer): Generator<Buffer> {
  let at = 0;
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) return;
    yield bytes.subarray(at, end);
    at = end;
  }
}
