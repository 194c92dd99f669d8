// What is said between parquet.thread.ts and the thread that it starts (parquet.worker.ts).
import type { Cells } from './parquet.cells.js';
import type { Column, ParquetCompression } from './parquet.schema.js';

/** Where a column lies in the bytes of a file. */
export interface Chunk {
  readonly start: number;
  readonly length: number;
}

export interface Group {
  readonly rows: number;
  /** By column. */
  readonly chunks: readonly Chunk[];
}

/** What the footer of a file says. */
export interface Outline {
  readonly columns: readonly Column[];
  readonly groups: readonly Group[];
}

/** Some bytes of a file. */
export interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Some rows, one after the other. */
export interface DecodedBatch {
  readonly rows: number;
  /** By `v8.serialize`: the `Cells` of each wanted column. To be turned to rows when its turn comes. */
  readonly cells: Uint8Array;
}

/** What is done with a file, and what comes of it. `rows` is not answered: what fails is told by what is asked next. */
export interface Answers {
  create: void;
  /** The bytes that follow those before. */
  encode: Uint8Array;
  finish: Uint8Array;
  open: Outline;
  /** `corrupt` says which checksum differs. */
  decode: { readonly batches: readonly DecodedBatch[] } | { readonly corrupt: string };
}

export type Order =
  | { readonly kind: 'create'; readonly columns: readonly Column[]; readonly compression: ParquetCompression }
  | { readonly kind: 'encode' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'open'; readonly footer: Uint8Array }
  | {
      readonly kind: 'decode';
      readonly group: number;
      /** Positions of the wanted columns. */
      readonly columns: readonly number[];
      /** Rows of the group. */
      readonly from: number;
      readonly to: number;
      readonly pieces: readonly Piece[];
    };

export type ToThread =
  | { readonly file: number; readonly id: number; readonly order: Order }
  | { readonly file: number; readonly rows: { readonly count: number; readonly cells: readonly Cells[] } }
  | { readonly file: number; readonly drop: true };

export type FromThread =
  { readonly id: number; readonly answer: Answers[keyof Answers] } | { readonly id: number; readonly failure: Error };
