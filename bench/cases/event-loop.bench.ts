// How long the host's event loop is held up while 10,000 materialize on the embedded default.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { BenchCase } from '../bench.case.js';
import { measureEmbedded } from '../measured-run.js';
import { layered } from '../no-op.assets.js';

const bench: BenchCase = {
  title: "the host's event loop while 10,000 materialize on the embedded default",
  parts: {
    async host({ directory, smoke }) {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const figures = await measureEmbedded('rate', smoke ? layered(1, 10) : layered(), directory);
      delay.disable();
      return { ...figures, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
    },
  },
  measures: [{ name: 'p99', unit: 'ms', ours: 'p99', atMost: 10 }],
};

export default bench;
