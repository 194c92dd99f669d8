// Migration 1: the functions by which work is claimed and ends, each one round trip and one transaction at most.
// They are functions and not statements of the library because each of their steps has to see what the locks of the
// step before made wait for: a statement of its own has a snapshot of its own. Names are unqualified, as in the tables.
//
// Lock order of all of them: processes, materializations by id, heads by id, dependents and waiters by id, limits by
// id, then (claiming) whatever is free by SKIP LOCKED, limits as well, at last lanes by id and runs by id. Heads of what is
// taken as it is released are locked before its rows, by SKIP LOCKED. Rows found by an older snapshot are judged again when
// they are locked: each UPDATE repeats its guard.
// Every access to a large table is by `id = ANY(...)` or a LATERAL look-up that cannot be flattened (OFFSET 0), so that
// no statistics, however wrong, make the planner scan it. `upstream + 0` is what the index on it is made of.
import { NOTE_CHANGES } from '../0001-summaries.js';
import { BEAT, TAKE_BACK, HAND_BACK } from './beating.js';
import { RAISE_HOLDERS, CLAIM_READY, CLAIM_RUN } from './claiming.js';
import { MOVED, FOLLOW, CONCLUDE, NOTE_LANES, TALLY, FINISH } from './ending.js';
import { CANCEL_APPROVALS, PAUSE, RESUME } from './pausing.js';
import { NOTE_ATTEMPTS } from './noting.js';
import { RELEASE } from './releasing.js';
import { INSERT_RUNNING } from './requesting.js';
import { TOKENS_LEFT, PLACES_LEFT, TOKEN_DUE, GATE_OPENS, BOUND_POOLS } from './limits.js';
import { CANCEL_PENDING, ASK_TO_STOP, DOOM_PENDING, CANCEL_RUN, STOP_PENDING, FIRE_RETRIES } from './stopping.js';
import { CLAIM, DESCRIBE_CLAIMS, DESCRIBE_HELD, POOLS_TO_RING } from './telling.js';

/** In the order in which they are made: functions of SQL need what they call. */
export const FUNCTIONS: readonly string[] = [
  MOVED,
  CLAIM,
  TOKENS_LEFT,
  PLACES_LEFT,
  TOKEN_DUE,
  GATE_OPENS,
  BOUND_POOLS,
  CANCEL_APPROVALS,
  CANCEL_PENDING,
  FOLLOW,
  RELEASE,
  NOTE_CHANGES,
  CONCLUDE,
  NOTE_LANES,
  NOTE_ATTEMPTS,
  TALLY,
  FINISH,
  RAISE_HOLDERS,
  CLAIM_READY,
  DESCRIBE_CLAIMS,
  DESCRIBE_HELD,
  CLAIM_RUN,
  INSERT_RUNNING,
  POOLS_TO_RING,
  BEAT,
  TAKE_BACK,
  HAND_BACK,
  PAUSE,
  RESUME,
  ASK_TO_STOP,
  DOOM_PENDING,
  CANCEL_RUN,
  STOP_PENDING,
  FIRE_RETRIES,
];
