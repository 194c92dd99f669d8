// What of attempts is told to the outside, where the application wants that: which have begun and which have ended.
import { POST } from '../0001-outbox.js';

/** Whether the application wants it (namespaces.tells_attempts): all that it costs where it does not. */
export const TELLS_ATTEMPTS = `(SELECT n.tells_attempts FROM namespaces n WHERE n.id = p_namespace)`;

/**
 * One notice (topic and payload: AttemptNotice of lib/ledger/outbox.port.ts) of all attempts that began and ended in this transaction. What goes back untouched, or waits for a decision, goes
 * on with the same attempt later. An attempt is told by its number, which counts those that were lost with their worker; what
 * ended without one having counted was at the next. Plan: primary keys.
 */
export const NOTE_ATTEMPTS = `CREATE FUNCTION note_attempts(p_namespace integer, p_moved moved[], p_claimed claim[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  ${POST}
  SELECT p_namespace, 'attempts', json_build_object('began', COALESCE(b.told, '[]'), 'ended', COALESCE(e.told, '[]'))
  FROM (
    SELECT json_agg(json_build_array(c.id, c.attempts + c.rescues + 1)) AS told FROM unnest(p_claimed) c) b
  CROSS JOIN (
    SELECT json_agg(json_build_array(m.id,
      x.attempts + x.rescues + (m.told IS NULL AND m.status NOT IN ('success', 'failed'))::integer,
      CASE WHEN m.status = 'pending' THEN m.told ELSE m.status END,
      -- Of what is tried again: a later attempt takes its place.
      CASE WHEN m.told = 'materialization.retrying' THEN x.error END)) AS told
    FROM unnest(p_moved) m
    CROSS JOIN LATERAL (SELECT x.attempts, x.rescues, x.error FROM materializations x WHERE x.id = m.id OFFSET 0) x
    WHERE m.epoch > 0 AND (m.told IS NOT NULL OR m.status NOT IN ('pending', 'waiting_approval'))) e
  WHERE b.told IS NOT NULL OR e.told IS NOT NULL;
END $$`;
