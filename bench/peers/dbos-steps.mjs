// DBOS with steps that do nothing, one after the other in each of eight workflows that run side by side.
import { DBOS } from '@dbos-inc/dbos-sdk';

const WORKFLOWS = 8;

/**
 * Steps per second from the first workflow's start to the last one's result.
 * @param {{ postgres: string, steps: number }} options how many in all
 */
export async function measure({ postgres, steps }) {
  const each = Math.floor(steps / WORKFLOWS);
  let executed = 0;
  const chain = DBOS.registerWorkflow(
    async () => {
      for (let step = 0; step < each; step += 1) {
        await DBOS.runStep(
          () => {
            executed += 1;
            return Promise.resolve();
          },
          { name: 'nothing' },
        );
      }
    },
    { name: 'chain' },
  );
  DBOS.setConfig({
    name: 'flowstone-bench',
    applicationVersion: '1',
    systemDatabaseUrl: postgres,
    systemDatabasePoolSize: 20,
    logLevel: 'error',
  });
  await DBOS.launch();
  try {
    const start = performance.now();
    const handles = await Promise.all(Array.from({ length: WORKFLOWS }, () => DBOS.startWorkflow(chain)()));
    await Promise.all(handles.map((handle) => handle.getResult()));
    const seconds = (performance.now() - start) / 1000;
    if (executed !== each * WORKFLOWS) throw new Error(`${executed} of ${each * WORKFLOWS} steps were executed`);
    return executed / seconds;
  } finally {
    await DBOS.shutdown();
  }
}
