// Brings the server programs and tools before a whole test run, so that no test waits for an installation. Where that
// is not possible it stays quiet: the tests that need one say what to do.
import { POSTGRES, REDIS, requirePrograms } from './programs.mjs';
import { requirePromtool } from './promtool.mjs';
import { DUCKDB, MOTO, PYARROW, requireTool } from './tools.mjs';

for (const service of [POSTGRES, REDIS]) {
  if (!process.env[service.variable]) await requirePrograms(service).catch(() => undefined);
}
await requirePromtool().catch(() => undefined);
const tools = process.env['S3_ENDPOINT'] ? [DUCKDB, PYARROW] : [DUCKDB, PYARROW, MOTO];
for (const tool of tools) await requireTool(tool).catch(() => undefined);
