// One configuration for all tests; servers are started by the broker in test/services when a test asks.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-flowstone$': '<rootDir>/lib/index.ts',
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
  // In a worker that is replaced when it has grown: what modules of many suites leave behind slowed the heavy ones down.
  workerIdleMemoryLimit: '1GB',
  testTimeout: 30_000,
};
