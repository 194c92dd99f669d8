// Jest's globalSetup: the broker stands ready, the servers start when a test asks.
import { startBroker } from './start-broker.mjs';

export default async function setup() {
  Reflect.set(globalThis, Symbol.for('flowstone.stopServices'), await startBroker());
}
