// A process of its own that opens the embedded database in the directory it is given, says so, and then writes row
// after row; each number it prints is one that was acknowledged. It runs the build in dist/.
import { resolve } from 'node:path';
import { writeSync } from 'node:fs';

/** @type {typeof import('../../../lib/ledger/embedded/embedded.database.js')} */
const { openEmbeddedDatabase } = await import(
  resolve(import.meta.dirname, '../../../dist/lib/ledger/embedded/embedded.database.js')
);
const [, , directory = '', work] = process.argv;
/** At once, past every buffer: what the parent has read was acknowledged. */
const say = (/** @type {string | number} */ word) => writeSync(1, `${word}\n`);

const database = await openEmbeddedDatabase({ directory }).catch((/** @type {{ code: string }} */ error) => {
  say(error.code);
  process.exit(0);
});
say('open');
if (work === 'write') {
  const pool = new database.driver.Pool();
  await pool.query('CREATE TABLE IF NOT EXISTS acknowledged (n serial PRIMARY KEY, filling text)');
  for (;;) {
    const { rows } = await pool.query(`INSERT INTO acknowledged (filling) VALUES (repeat('x', 500)) RETURNING n`);
    say(/** @type {{ n: number }} */ (rows[0]).n);
  }
}
