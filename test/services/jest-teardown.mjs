// Jest's globalTeardown: stops the servers that the run's tests started.
export default async function teardown() {
  await Reflect.get(globalThis, Symbol.for('flowstone.stopServices'))();
}
