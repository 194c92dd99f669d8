// What the processes of the crash tests of schedules run.
import { Asset, Schedule } from 'nestjs-flowstone';

class Clocked {
  async execute() {
    return 1;
  }
}
Asset()(Clocked);
Schedule({ name: 'each', cron: '* * * * * *', catchUp: 'all', overlap: 'allow' })(Clocked);

export const assets = [Clocked];
