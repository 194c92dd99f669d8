// What a ledger keeps so that the status of a large asset need not read every head: a summary that planning makes, and
// notes of the heads that changed since, written in the transactions that change them.
import type { HeadRecord } from './records.js';
import type { SummaryStore } from './summary.records.js';

export type SummaryLedger = SummaryStore<HeadRecord>;
