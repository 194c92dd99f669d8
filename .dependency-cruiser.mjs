// Which room of the house may import what. Run by test/architecture/imports.test.ts; in words: ARCHITECTURE.md.

/** From the ground up: a room imports those below it, never those above. Graph knows keys, not assets. */
const FLOORS = [
  'partitions',
  'graph',
  'assets',
  'planning',
  'runs',
  'resources',
  'retention',
  'lineage',
  'outbox',
  'openlineage',
  'telemetry',
  'events',
  'checks',
  'automation',
  'flowstone',
  'admin',
];

/** lib/flowstone.*.ts is the service's floor, but for the errors, which every room raises. */
const pathOf = (floor) => (floor === 'flowstone' ? '^lib/(flowstone\\.(?!errors\\.)|index\\.)' : `^lib/${floor}/`);

const upwards = FLOORS.slice(0, -1).map((floor, level) => ({
  name: `no-way-up-from-${floor}`,
  comment: `${floor} stands below ${FLOORS.slice(level + 1).join(', ')}.`,
  from: { path: pathOf(floor), pathNot: '^lib/index\\.ts$' },
  to: { path: FLOORS.slice(level + 1).map(pathOf) },
}));

/** Rooms, and files of rooms, that compute from what they are given: no framework, no database, no clock, no input. */
const PURE = [
  '^lib/(partitions|graph|planning)/',
  '^lib/assets/(asset\\.(definition|key|options|value)|(automation|freshness)\\.options|condition|checkpoint\\.(code|options)|signal\\.(code|options|value)|batch\\.failure|definition\\.hash|duration|expectations|dependency[^/]*)\\.ts$',
  '^lib/ledger/((approval|automation|check|process|schedule|sensor)\\.records|event\\.catalogue|json|summary\\.records|records|registrations|transitions|work)\\.ts$',
  '^lib/automation/(cron-ticks|conditions/(truth|decision|decide|flow|assets)|freshness/due|schedules/due.ticks|sensors/seen)\\.ts$',
  '\\.machine\\.ts$',
];

/** Plain code and types that no room owns alone. */
const PURE_MAY_ALSO_USE = ['^lib/flowstone\\.errors\\.ts$', '^lib/io/rows\\.ts$', '^lib/assets/asset\\.context\\.ts$'];

/** In the asset room, Nest is for what declares and what discovers. */
const NEST_IN_ASSETS = '^lib/assets/[^/]+\\.(decorator|metadata|explorer)\\.ts$';

const rules = [
  {
    name: 'no-cycles',
    comment: 'Not even of types: a room that cannot be read alone is no room.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'pure-rooms-import-nothing-impure',
    comment: 'They run in any process, in any order, and are tested without set-up.',
    from: { path: PURE },
    to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|crypto|util)$' },
  },
  {
    name: 'pure-rooms-import-no-framework',
    from: { path: PURE },
    to: { path: 'node_modules/(@nestjs|typeorm|pg|bull|ioredis|rxjs|reflect-metadata|class-validator|@electric-sql)' },
  },
  {
    name: 'pure-rooms-import-pure-rooms',
    from: { path: PURE },
    to: { path: '^lib/', pathNot: [...PURE, ...PURE_MAY_ALSO_USE] },
  },
  {
    name: 'nest-only-where-something-is-provided-discovered-or-served',
    from: { path: '^lib/(ledger|io|queue|lineage)/', pathNot: '^lib/queue/bull/' },
    to: { path: 'node_modules/@nestjs' },
  },
  {
    name: 'nest-in-assets-only-to-declare-and-discover',
    from: { path: '^lib/assets/', pathNot: NEST_IN_ASSETS },
    to: { path: 'node_modules/(@nestjs|reflect-metadata)' },
  },
  {
    name: 'typeorm-only-in-the-ledger',
    comment: 'Other rooms use the types that lib/ledger exports.',
    from: { path: '^(lib|migrations)/', pathNot: '^(lib/ledger/|lib/io/managers/postgres/|migrations/)' },
    to: { path: 'node_modules/(typeorm|@nestjs/typeorm|pg|pg-copy-streams|@electric-sql)' },
  },
  {
    name: 'bull-only-in-its-transport',
    from: { path: '^lib/', pathNot: '^lib/queue/bull/' },
    to: { path: 'node_modules/(bull|@nestjs/bull|ioredis)' },
  },
  {
    name: 's3-only-in-its-store',
    comment: 'An optional peer: what is published must compile and load without it.',
    from: { path: '^(lib|migrations)/', pathNot: '^lib/io/blobs/s3/' },
    to: { path: 'node_modules/(@aws-sdk|@smithy)' },
  },
  {
    name: 'terminus-only-in-its-room',
    comment: 'An optional peer: whoever does not open that door needs none of it.',
    from: { path: '^(lib|migrations)/', pathNot: '^lib/terminus/' },
    to: { path: ['node_modules/@nestjs/terminus', '^lib/terminus/'] },
  },
  {
    name: 'opentelemetry-only-in-its-room',
    comment: 'An optional peer: nothing of it is loaded where telemetry is off.',
    from: { path: '^(lib|migrations)/', pathNot: '^lib/(telemetry|prometheus)/' },
    to: { path: ['node_modules/@opentelemetry', '^lib/prometheus/'] },
  },
  {
    name: 'duckdb-only-in-its-room',
    comment: 'An optional peer: whoever does not open that door needs none of it.',
    from: { path: '^(lib|migrations)/', pathNot: '^lib/duckdb/' },
    to: { path: ['node_modules/@duckdb', '^lib/duckdb/'] },
  },
  {
    name: 'duckdb-reads-what-is-stored',
    comment: 'And knows of an attempt that it may end.',
    from: { path: '^lib/duckdb/' },
    to: { path: '^lib/(?!duckdb/|io/|ledger/records|assets/asset\\.context|flowstone\\.errors|optional-packages)' },
  },
  {
    name: 'ports-know-no-implementation',
    from: { path: '^lib/([^/]+)/[^/]+\\.port\\.ts$' },
    to: { path: '^lib/$1/[^/]+/' },
  },
  {
    name: 'the-ledger-records-and-asks-no-one',
    from: { path: '^lib/ledger/' },
    to: { path: '^lib/(assets|runs|queue|io|lineage|checkpoints|resources|automation|admin|testing)/' },
  },
  {
    name: 'retention-knows-ports-only',
    comment: 'It removes what the ledger says may go, through the managers; it runs nothing.',
    from: { path: '^lib/retention/' },
    to: { path: '^lib/(runs/(?!crash-points)|planning|queue|ledger/(sql|memory|embedded)|io/managers)' },
  },
  {
    name: 'the-outbox-knows-ports-only',
    comment: 'It sends what others have written to whoever takes it.',
    from: { path: '^lib/outbox/' },
    to: {
      path: '^lib/(runs/(?!crash-points|alarm|patience|failure)|planning|queue|retention|io|ledger/(sql|memory|embedded))',
    },
  },
  {
    name: 'lineage-asks-ports-and-planning',
    comment: 'Of runs, only how one is requested and what comes of that.',
    from: { path: '^lib/lineage/' },
    to: {
      path: '^lib/(?!lineage/|planning/|graph/|partitions/|assets/|ledger/[^/]+$|runs/(requester|run\\.handle)\\.|flowstone\\.errors|request\\.options)',
    },
  },
  {
    name: 'the-queue-carries-news-only',
    from: { path: '^lib/queue/' },
    to: { path: '^lib/(?!queue/|flowstone\\.errors)' },
  },
  {
    name: 'the-library-does-not-use-what-it-ships-for-tests',
    from: { path: '^lib/', pathNot: '^lib/testing/' },
    to: { path: '^lib/testing/' },
  },
  {
    name: 'the-public-door-leads-out',
    comment: 'lib/index.ts is for the world; inside, rooms import each other directly.',
    from: { path: '^(lib|migrations)/', pathNot: '^lib/testing/' },
    to: { path: '^lib/index\\.ts$' },
  },
  {
    name: 'samples-come-in-by-the-public-door',
    from: { path: '^sample/' },
    to: { path: '^(lib|migrations)/', pathNot: '^lib/(index|testing/index)\\.ts$' },
  },
  {
    name: 'the-library-knows-no-sample-test-or-bench',
    from: { path: '^(lib|migrations)/' },
    to: { path: '^(sample|test|bench|scripts)/' },
  },
  {
    name: 'only-declared-packages',
    from: { path: '^(lib|migrations)/' },
    to: {
      dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'],
      // An optional peer counts as not declared as well.
      dependencyTypesNot: ['npm-peer', 'npm'],
    },
  },
];

export default {
  forbidden: [...upwards, ...rules].map((rule) => Object.assign(rule, { severity: 'error' })),
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Type-only imports count as imports.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
