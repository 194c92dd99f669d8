// The invariants of approvals as queries for what violates them, once every run has ended: what is asked is decided once,
// carried out as decided, with all that happened on record.

const CLOSING = `('approved', 'modified', 'rejected', 'received', 'timed_out', 'superseded', 'cancelled')`;
const DECIDED = `('approved', 'modified', 'rejected', 'received', 'timed_out')`;
/** The newest approval of each materialization that has asked. */
const NEWEST = `(SELECT DISTINCT ON (a.materialization_id) a.* FROM flowstone.approvals a ORDER BY a.materialization_id, a.id DESC)`;

/** Each query gives what violates the invariant of its name: nothing, if it holds. */
export const APPROVAL_VIOLATIONS = {
  'DecisionOnce: an approval was not closed exactly once, as it says': `
    SELECT a.id, a.status, array_agg(t.kind ORDER BY t.id) AS acts FROM flowstone.approvals a
    LEFT JOIN flowstone.approval_acts t ON t.approval_id = a.id AND t.kind IN ${CLOSING}
    WHERE a.status <> 'open'
    GROUP BY a.id HAVING (array_agg(t.kind ORDER BY t.id DESC))[1] IS DISTINCT FROM a.status
      -- A decision that cannot be carried out is taken back.
      OR count(t.id) <> CASE WHEN a.status = 'superseded' AND a.decision IS NOT NULL THEN 2 ELSE 1 END`,
  'DecisionOnce: what asked has succeeded without a decision': `
    SELECT m.id, a.id AS approval, a.status FROM flowstone.materializations m JOIN ${NEWEST} a ON a.materialization_id = m.id
    WHERE m.status = 'success' AND a.status NOT IN ${DECIDED} AND a.status <> 'superseded'`,
  'DecisionOnce: what was decided was carried out with other versions': `
    SELECT m.id, a.id AS approval FROM flowstone.materializations m JOIN ${NEWEST} a ON a.materialization_id = m.id
    WHERE m.status = 'success' AND a.status IN ${DECIDED} AND (m.inputs IS DISTINCT FROM a.inputs
      OR ARRAY(SELECT l.upstream FROM flowstone.lineage l WHERE l.downstream = m.id AND NOT l.ordering ORDER BY 1)
        <> ARRAY(SELECT DISTINCT i.materialization_id FROM flowstone.approval_inputs i
          WHERE i.approval_id = a.id AND i.materialization_id IS NOT NULL ORDER BY 1))`,
  'DecisionOnce: people have voted twice, or too few': `
    SELECT a.id, a.status, a.votes FROM flowstone.approvals a CROSS JOIN LATERAL (
      SELECT count(*) AS votes, count(DISTINCT v ->> 'by') AS people FROM json_array_elements(a.votes) v) n
    WHERE n.votes <> n.people OR (a.status IN ('approved', 'modified') AND a.decision ->> 'by' IS NOT NULL
      AND n.people <> (a.rule ->> 'quorum')::integer)`,
  'Asked: an approval is open of what does not wait': `
    SELECT a.id, m.id AS materialization, m.status FROM flowstone.approvals a
    LEFT JOIN flowstone.materializations m ON m.id = a.materialization_id
    WHERE a.status = 'open' AND (m.status, m.epoch) IS DISTINCT FROM ('waiting_approval', a.epoch)`,
  'Asked: what waits has no open approval': `
    SELECT m.id FROM flowstone.materializations m WHERE m.status = 'waiting_approval' AND NOT EXISTS (
      SELECT FROM flowstone.approvals a WHERE a.materialization_id = m.id AND a.status = 'open')`,
  'Asked: inputs are watched of what is closed': `
    SELECT a.id, i.alias FROM flowstone.approvals a JOIN flowstone.approval_inputs i ON i.approval_id = a.id
    WHERE i.watched AND a.status <> 'open'`,
  'Asked: an approval does not follow the one before': `
    SELECT a.id, a.previous, b.id AS before, b.status FROM flowstone.approvals a LEFT JOIN LATERAL (
      SELECT b.id, b.status FROM flowstone.approvals b
      WHERE b.materialization_id = a.materialization_id AND b.id < a.id ORDER BY b.id DESC LIMIT 1) b ON true
    WHERE a.previous IS DISTINCT FROM b.id OR b.status <> 'superseded'`,
  'TimerOnce: steps and extensions of an approval are not its acts': `
    SELECT a.id, a.escalations, a.extensions, n.* FROM flowstone.approvals a CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE t.kind = 'escalated' AND t.detail -> 'step' IS NOT NULL) AS steps,
        count(*) FILTER (WHERE t.kind = 'extended' AND t.actor IS NULL) AS extended
      FROM flowstone.approval_acts t WHERE t.approval_id = a.id) n
    WHERE (a.escalations, a.extensions) <> (n.steps, n.extended)`,
  'TimerOnce: a deadline was carried out before it': `
    SELECT a.id, a.deadline, t.at FROM flowstone.approvals a JOIN flowstone.approval_acts t ON t.approval_id = a.id
    WHERE t.actor IS NULL AND t.kind IN ('approved', 'rejected', 'timed_out')
      AND (a.deadline IS NULL OR t.at < date_trunc('milliseconds', a.deadline))`,
  'AuditComplete: what happened to an approval is not what its run was told': `
    SELECT a.id, n.acts, n.told FROM flowstone.approvals a CROSS JOIN LATERAL (SELECT
      ARRAY(SELECT t.kind || ' ' || COALESCE(t.actor, '-') FROM flowstone.approval_acts t
        WHERE t.approval_id = a.id ORDER BY 1) AS acts,
      ARRAY(SELECT substr(e.kind, 10) || ' ' || COALESCE(e.actor, '-') FROM flowstone.events e
        WHERE e.kind LIKE 'approval.%' AND e.materializations = ARRAY[a.materialization_id]
          AND (e.detail ->> 'approval')::bigint = a.id ORDER BY 1) AS told) n
    WHERE n.acts <> n.told`,
  'AuditComplete: an approval was not requested first': `
    SELECT a.id, n.kinds FROM flowstone.approvals a CROSS JOIN LATERAL (
      SELECT ARRAY(SELECT t.kind FROM flowstone.approval_acts t WHERE t.approval_id = a.id ORDER BY t.id) AS kinds) n
    WHERE n.kinds[1] IS DISTINCT FROM 'requested' OR cardinality(array_positions(n.kinds, 'requested')) <> 1`,
} as const;
