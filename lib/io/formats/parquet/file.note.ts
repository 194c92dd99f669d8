// What FlowStone notes in the footer of its Parquet files for itself: their columns, and the CRC-32 of each column in each
// row group, in the order of the file.
import type { Chunk } from './parquet.messages.js';
import type { Column } from './parquet.schema.js';

export const NOTE_KEY = 'flowstone';

export function writeNote(columns: readonly Column[], checksums: readonly number[]): string {
  return JSON.stringify({ columns, checksums: Buffer.from(Uint32Array.from(checksums).buffer).toString('base64') });
}

export function readNote(text: string): { columns: Column[]; checksums: Uint32Array } {
  const { columns, checksums } = JSON.parse(text) as { columns: Column[]; checksums: string };
  return { columns, checksums: new Uint32Array(new Uint8Array(Buffer.from(checksums, 'base64')).buffer) };
}

/** Of the metadata of a column in a row group, what says where it is. */
interface ColumnPlace {
  readonly dictionary_page_offset?: bigint | undefined;
  readonly data_page_offset: bigint;
  readonly total_compressed_size: bigint;
}

/** Where a column of a row group lies: its dictionary, if it has one, and its pages. */
export function chunkOf({ meta_data }: { readonly meta_data?: ColumnPlace | undefined }): Chunk {
  const { dictionary_page_offset, data_page_offset, total_compressed_size } = meta_data!;
  return { start: Number(dictionary_page_offset ?? data_page_offset), length: Number(total_compressed_size) };
}
