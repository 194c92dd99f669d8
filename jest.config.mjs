// One configuration for all tests; servers are started by the broker in test/services when a test asks.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-flowstone$': '<rootDir>/lib/index.ts',
    '^nestjs-flowstone/terminus$': '<rootDir>/lib/terminus/index.ts',
    '^nestjs-flowstone/prometheus$': '<rootDir>/lib/prometheus/index.ts',
    '^nestjs-flowstone/duckdb$': '<rootDir>/lib/duckdb/index.ts',
    '^nestjs-flowstone/testing$': '<rootDir>/lib/testing/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2022',
        },
        module: { type: 'es6' },
      },
    ],
  },
  globalSetup: '<rootDir>/test/services/jest-setup.mjs',
  globalTeardown: '<rootDir>/test/services/jest-teardown.mjs',
  reporters: ['default', '<rootDir>/scripts/plain-summary.reporter.mjs'],
  // So little that each suite gets a process of its own: the async contexts of modules that were loaded before slow every
  // promise of a process down (three million awaits: 0.5 s beside one, 20 s beside fifty).
  workerIdleMemoryLimit: '1MB',
  // Two, also where there are but two cores: much of what suites do is waiting for servers, leases and polls.
  maxWorkers: 2,
  testTimeout: 30_000,
};
