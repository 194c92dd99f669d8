// Statements that keep and read what attempts log.
import { statement } from '../statement.js';

/**
 * Purpose: lines are kept, of materializations that are there. Plan: primary keys. Guard: once.
 * Values: namespace; of lines: materializations, epochs, numbers, attempts, ages in ms, levels, messages, fields (json).
 */
export const APPEND_LINES = statement(
  'append_lines',
  `INSERT INTO fs.log_lines (namespace, materialization_id, epoch, number, attempt, at, level, message, fields)
  SELECT $1, l.id, l.epoch, l.number, l.attempt, clock_timestamp() - l.age * interval '1 millisecond', l.level, l.message,
    l.fields::json
  FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::integer[], $6::float8[], $7::text[], $8::text[], $9::text[])
    l (id, epoch, number, attempt, age, level, message, fields)
  CROSS JOIN LATERAL (SELECT FROM fs.materializations m WHERE m.id = l.id AND m.namespace = $1 OFFSET 0) m
  ON CONFLICT DO NOTHING`,
);

/** Purpose: a page of lines. Plan: log_lines_pkey. Values: namespace, materialization, epoch and number after which, limit. */
export const LINES_AFTER = statement(
  'lines_after',
  `SELECT l.epoch, l.number, l.attempt, l.at, l.level, l.message, l.fields FROM fs.log_lines l
  WHERE l.materialization_id = $2 AND (l.epoch, l.number) > ($3::integer, $4::integer) AND l.namespace = $1
  ORDER BY l.epoch, l.number LIMIT $5`,
);
