// Where large plans are copied to: COPY statements, which have no plan and no values.
import { statement } from '../statement.js';

/** Purpose: heads that a large plan found missing. */
export const COPY_HEADS = statement('copy_heads', `COPY fs.heads (id, asset_id, partition) FROM STDIN`);

/** Purpose: rows of a large plan, whatever their number. */
export const COPY_ROWS = statement(
  'copy_rows',
  `COPY fs.materializations (id, head_id, namespace, run_id, lane_id, priority, asset_id, forced, blockers, status, error,
    completed_at) FROM STDIN`,
);

/** Purpose: those of a large plan that can begin are offered. */
export const COPY_READY = statement(
  'copy_ready',
  `COPY fs.ready (lane_id, rank, materialization_id, asset_id) FROM STDIN`,
);

/** Purpose: the edges of a large plan. */
export const COPY_EDGES = statement('copy_edges', `COPY fs.lineage (downstream, upstream, ordering) FROM STDIN`);
