// Brings the server programs before a whole test run, so that no test waits for an installation. Where that is not
// possible it stays quiet: the tests that need a server say what to do.
import { POSTGRES, REDIS, requirePrograms } from './programs.mjs';

for (const service of [POSTGRES, REDIS]) {
  if (!process.env[service.variable]) await requirePrograms(service).catch(() => undefined);
}
