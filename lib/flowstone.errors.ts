// The one error type of FlowStone and the catalogue of its codes.
// Codes are grouped by room; docs/errors.md says for each what it means and what to do (a test ties the two).

/**
 * Who has to act on an error:
 * - `declaration`: the application is declared wrongly; raised at boot, all mistakes at once.
 * - `request`: a caller asked for something impossible; nothing was changed.
 * - `user-code`: an asset, resource or I/O manager of the host threw; the cause is attached.
 * - `infrastructure`: database, queue, storage or worker failed; trying again may help.
 */
export type ErrorFamily = 'declaration' | 'request' | 'user-code' | 'infrastructure';

interface CatalogueEntry {
  readonly family: ErrorFamily;
  readonly retryable: boolean;
}

const declaration = { family: 'declaration', retryable: false } as const;
const request = { family: 'request', retryable: false } as const;
const userCode = { family: 'user-code', retryable: false } as const;
const retryableUserCode = { family: 'user-code', retryable: true } as const;
const infrastructure = { family: 'infrastructure', retryable: true } as const;
const permanentInfrastructure = { family: 'infrastructure', retryable: false } as const;

/** Every code FlowStone can raise, with its family and whether trying again may help. */
export const ERROR_CATALOGUE = {
  // module and options
  FLOWSTONE_OPTIONS_INVALID: declaration,
  FLOWSTONE_PACKAGE_MISSING: declaration,
  // assets
  FLOWSTONE_DECLARATION_INVALID: declaration,
  FLOWSTONE_ASSET_DURATION_INVALID: declaration,
  FLOWSTONE_ASSET_UNKNOWN: request,
  FLOWSTONE_ASSET_CODE_ELSEWHERE: request,
  FLOWSTONE_CONTEXT_NO_WINDOW: request,
  FLOWSTONE_CONTEXT_UNAVAILABLE: request,
  // partitions
  FLOWSTONE_PARTITION_SCHEME_INVALID: declaration,
  FLOWSTONE_PARTITION_KEY_INVALID: request,
  FLOWSTONE_PARTITION_UNKNOWN: request,
  FLOWSTONE_PARTITION_RANGE_INVALID: request,
  FLOWSTONE_PARTITION_TOO_MANY: request,
  FLOWSTONE_PARTITION_MAPPING_INVALID: declaration,
  FLOWSTONE_PARTITION_MAPPING_FAILED: userCode,
  FLOWSTONE_PARTITION_SCHEME_FAILED: retryableUserCode,
  // graph
  FLOWSTONE_GRAPH_CYCLE: declaration,
  FLOWSTONE_GRAPH_INVALID: declaration,
  FLOWSTONE_SELECTION_INVALID: request,
  FLOWSTONE_SELECTION_UNKNOWN: request,
  // planning
  FLOWSTONE_PLAN_ASSET_UNKNOWN: request,
  FLOWSTONE_PLAN_TOO_LARGE: request,
  FLOWSTONE_PLAN_UPSTREAM_MISSING: request,
  FLOWSTONE_PLAN_UPSTREAM_PARTITION_MISSING: request,
  // runs
  FLOWSTONE_PARTITION_REQUIRED: request,
  FLOWSTONE_REQUEST_INVALID: request,
  FLOWSTONE_PLANNING_FAILED: userCode,
  FLOWSTONE_RUN_NOT_COMMITTED: request,
  FLOWSTONE_TRANSACTION_OPEN: request,
  FLOWSTONE_NESTED_MATERIALIZATION: request,
  FLOWSTONE_ENSURE_TIMEOUT: request,
  FLOWSTONE_WAITING_APPROVAL: request,
  FLOWSTONE_VALUE_MISSING: request,
  FLOWSTONE_NOT_STARTED: request,
  FLOWSTONE_RUN_FAILED: userCode,
  FLOWSTONE_RUN_CANCELLED: request,
  FLOWSTONE_RUN_NOT_FOUND: request,
  FLOWSTONE_RUN_WAIT_TIMEOUT: request,
  FLOWSTONE_INPUT_KEY_UNKNOWN: userCode,
  FLOWSTONE_INPUT_KEEPS_CHANGING: permanentInfrastructure,
  FLOWSTONE_INPUT_MISSING: request,
  FLOWSTONE_INPUT_WITHOUT_VALUE: declaration,
  FLOWSTONE_EXECUTE_FAILED: retryableUserCode,
  FLOWSTONE_EXECUTE_TIMEOUT: retryableUserCode,
  FLOWSTONE_BATCH_KEY_UNEXPECTED: retryableUserCode,
  FLOWSTONE_BATCH_KEY_MISSING: retryableUserCode,
  FLOWSTONE_WORKER_LOST: infrastructure,
  // checkpoints
  FLOWSTONE_APPROVAL_UNKNOWN: request,
  FLOWSTONE_APPROVAL_CONFLICT: request,
  FLOWSTONE_APPROVAL_FORBIDDEN: request,
  FLOWSTONE_APPROVAL_INVALID: request,
  FLOWSTONE_SIGNAL_UNKNOWN: request,
  FLOWSTONE_SIGNAL_INVALID: request,
  FLOWSTONE_CHECKPOINT_REJECTED: userCode,
  FLOWSTONE_CHECKPOINT_TIMED_OUT: userCode,
  // outbox
  FLOWSTONE_ADDRESS_REFUSED: infrastructure,
  FLOWSTONE_WEBHOOK_FAILED: infrastructure,
  FLOWSTONE_WEBHOOK_GONE: permanentInfrastructure,
  FLOWSTONE_OPENLINEAGE_FAILED: infrastructure,
  // events
  FLOWSTONE_EVENT_CURSOR_LOST: request,
  FLOWSTONE_HOOK_FAILED: userCode,
  FLOWSTONE_PROGRESS_TOKEN_INVALID: request,
  // checks
  FLOWSTONE_CHECK_FAILED: userCode,
  FLOWSTONE_CHECK_ERRORED: retryableUserCode,
  FLOWSTONE_CHECK_UNKNOWN: request,
  // resources
  FLOWSTONE_RESOURCE_UNHEALTHY: retryableUserCode,
  FLOWSTONE_RESOURCE_UNKNOWN: request,
  // io
  FLOWSTONE_IO_VALUE_NOT_FOUND: permanentInfrastructure,
  FLOWSTONE_IO_VERSION_NOT_KEPT: request,
  FLOWSTONE_IO_VALUE_MOVED: infrastructure,
  FLOWSTONE_IO_VALUE_CORRUPT: permanentInfrastructure,
  FLOWSTONE_IO_VALUE_UNSUPPORTED: userCode,
  FLOWSTONE_IO_VALUE_REFUSED: userCode,
  FLOWSTONE_IO_TABLE_UNFIT: declaration,
  FLOWSTONE_IO_PATH_REFUSED: permanentInfrastructure,
  FLOWSTONE_IO_FAILED: infrastructure,
  FLOWSTONE_IO_MANAGER_UNKNOWN: request,
  // duckdb
  FLOWSTONE_QUERY_FAILED: userCode,
  FLOWSTONE_QUERY_INPUT_UNFIT: declaration,
  // ledger
  FLOWSTONE_RUN_KEY_CONFLICT: request,
  FLOWSTONE_ASSET_BUSY: request,
  FLOWSTONE_NOT_A_LEDGER_TRANSACTION: request,
  FLOWSTONE_LEDGER_PARTITIONING_CHANGED: declaration,
  FLOWSTONE_LEDGER_UNAVAILABLE: infrastructure,
  FLOWSTONE_LEDGER_SCHEMA_TOO_NEW: permanentInfrastructure,
  FLOWSTONE_LEDGER_SCHEMA_OUTDATED: permanentInfrastructure,
  FLOWSTONE_LEDGER_OUTCOME_REFUSED: permanentInfrastructure,
  FLOWSTONE_EMBEDDED_DIRECTORY_LOCKED: permanentInfrastructure,
  FLOWSTONE_EMBEDDED_CORRUPT: permanentInfrastructure,
  FLOWSTONE_EMBEDDED_VERSION_MISMATCH: permanentInfrastructure,
  FLOWSTONE_EMBEDDED_BUSY: infrastructure,
  FLOWSTONE_EMBEDDED_STOPPED: infrastructure,
  // schedules
  FLOWSTONE_SCHEDULE_UNKNOWN: request,
  FLOWSTONE_SCHEDULE_EXISTS: request,
  FLOWSTONE_SCHEDULE_DECLARED: request,
  FLOWSTONE_SCHEDULE_INVALID: request,
  // sensors
  FLOWSTONE_SENSOR_UNKNOWN: request,
  FLOWSTONE_SENSOR_DECLARED: request,
  FLOWSTONE_SENSOR_BUSY: { family: 'request', retryable: true },
  FLOWSTONE_SENSOR_RESULT_INVALID: userCode,
  FLOWSTONE_SENSOR_TIMEOUT: retryableUserCode,
} as const satisfies Record<string, CatalogueEntry>;

/** A code of {@link ERROR_CATALOGUE}. */
export type FlowStoneErrorCode = keyof typeof ERROR_CATALOGUE;

/** What an error may carry beside code and message. */
export interface FlowStoneErrorDetails {
  /** Names and values that locate the error (asset, partition, run, ...). Plain JSON. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Overrides the catalogue, e.g. for user code that declared its own error as final. */
  readonly retryable?: boolean;
}

/**
 * Every failure FlowStone reports. `code` is stable and documented in docs/errors.md; the message names
 * the asset and partition and says what to do next.
 */
export class FlowStoneError extends Error {
  readonly code: FlowStoneErrorCode;
  readonly family: ErrorFamily;
  readonly retryable: boolean;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: FlowStoneErrorCode, message: string, details: FlowStoneErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'FlowStoneError';
    this.code = code;
    const entry: CatalogueEntry = ERROR_CATALOGUE[code];
    this.family = entry.family;
    this.retryable = details.retryable ?? entry.retryable;
    this.context = details.context ?? {};
  }
}
