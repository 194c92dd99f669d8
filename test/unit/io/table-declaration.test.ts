import { describe, expect, it } from '@jest/globals';
import { Column, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import { storedDefinition } from '../../../lib/assets/stored.definition.js';
import { IoRegistry } from '../../../lib/io/io.registry.js';
import { PostgresIoManager } from '../../../lib/io/managers/postgres/postgres.io-manager.js';
import { columnType } from '../../../lib/io/managers/postgres/column.types.js';
import { fixedColumns } from '../../../lib/io/managers/postgres/table.partition.js';
import { readDeclaration, usualPartitionType } from '../../../lib/io/managers/postgres/table.declaration.js';
import { encodeDimensions } from '../../../lib/partitions/partition-key.js';
import { Partitions, type PartitionScheme } from '../../../lib/partitions/partitions.js';
import { discoveryOf } from '../assets/discovery.js';

const problemsOf = (options: Record<string, unknown>, scheme?: PartitionScheme) =>
  readDeclaration({ table: 'a.b', columns: { x: 'text', n: 'integer', j: 'jsonb' }, ...options }, scheme, 'flowstone')
    .problems;
const daily = Partitions.daily({ start: '2001-01-01' });
const hourly = Partitions.hourly({ start: '2001-01-01' });
const keys = Partitions.static(['a']);
const several = Partitions.multi({ day: daily, region: keys });

describe('what is declared of a table', () => {
  it.each([
    '',
    'a.b.c',
    'a.',
    '.b',
    'a b',
    '"a"',
    "a'; DROP TABLE x; --",
    'a\0',
    '1a',
    'ä',
    'x'.repeat(64),
    `a.${'x'.repeat(64)}`,
    'flowstone.materializations',
    'pg_catalog.pg_class',
    'information_schema.tables',
    7,
    null,
    {},
  ])('refuses the name %j', (table) => {
    expect(problemsOf({ table })).toEqual([expect.stringContaining('table is')]);
  });

  it('takes for adopt true or false', () => {
    expect(problemsOf({ adopt: true })).toEqual([]);
    expect(problemsOf({ adopt: 'yes' })).toEqual(['adopt must be true or false']);
  });

  it.each(['a-b', 'a b', '"', "x'; --", '', '_row', '__proto__', '__proto__ ', 'x'.repeat(64), 'é', 'a\0'])(
    'refuses a column named %j',
    (name) => {
      expect(problemsOf({ columns: { [name]: 'text' } })).toEqual([expect.stringContaining('cannot be named')]);
      expect(problemsOf({ partitionColumn: name }, keys)).toEqual([expect.stringContaining('cannot be named')]);
    },
  );

  it.each([
    'strin',
    'text; DROP TABLE x',
    'text)',
    'integer[][]',
    'jsonb[]',
    'varchar(0)',
    'numeric(2,3)',
    'time',
    7,
    null,
    'toString',
    '__proto__',
    'text(3)',
  ])('refuses the type %j', (type) => {
    expect(problemsOf({ columns: { x: { type } } })).toEqual([expect.stringContaining('the type of column x')]);
  });

  it.each([
    ['text', 'text'],
    ['TIMESTAMPTZ', 'timestamp with time zone'],
    ['timestamp(3) with time zone', 'timestamp(3) with time zone'],
    [' double   precision ', 'double precision'],
    ['varchar( 10 )', 'character varying(10)'],
    ['decimal(8, 3)', 'numeric(8,3)'],
    ['numeric(8)', 'numeric(8,0)'],
    ['int8[]', 'bigint[]'],
    ['varchar(3)[]', 'character varying(3)[]'],
  ])('knows the type %j as %j', (written, name) => {
    expect(columnType(written)?.name).toBe(name);
  });

  it('names what is unknown, with what was meant', () => {
    expect(problemsOf({ tabel: 'x', keys: ['x'] })).toEqual([
      'unknown option "tabel" of table mode, did you mean "table"?',
      'unknown option "keys" of table mode, did you mean "key"?',
    ]);
    expect(problemsOf({ columns: { x: { type: 'text', nulable: false } } })).toEqual([
      'unknown option "nulable" of column x, did you mean "nullable"?',
    ]);
  });

  it('holds a key to the columns', () => {
    expect(problemsOf({ key: ['x', 'n'] })).toEqual([]);
    for (const [key, part] of [
      [['y'], 'no column'],
      [['j'], 'has no order'],
      [['x', 'x'], 'different columns'],
      [[], 'different columns'],
      ['x', 'different columns'],
    ])
      expect(problemsOf({ key })).toEqual([expect.stringContaining(part as string)]);
    expect(problemsOf({ key: ['day'], partitionColumn: 'day' }, daily)).toEqual([
      expect.stringContaining('the same for all rows'),
    ]);
  });

  it('holds partition columns to the partitions', () => {
    expect(problemsOf({}, daily)).toEqual([]);
    expect(problemsOf({ partitionColumns: { day: 'd' } }, several)).toEqual([]);
    const wrong: [Record<string, unknown>, PartitionScheme | undefined, string][] = [
      [{ partitionColumn: 'day' }, undefined, 'has no partitions'],
      [{ partitionColumns: { day: 'd' } }, daily, 'give partitionColumn'],
      [{ partitionColumn: 'd' }, several, 'give partitionColumns'],
      [{ partitionColumns: { dya: 'd' } }, several, 'no dimension'],
      [{ partitionColumns: { day: 'c', region: 'c' } }, several, 'the same name'],
      [{ partitionColumn: { name: 'd', type: 'date' } }, hourly, 'several partitions may begin on one day'],
      [{ partitionColumn: { name: 'd', type: 'date' } }, keys, 'cannot be date'],
      [{ partitionColumn: { name: 'd', type: 'integer' } }, daily, 'cannot be integer'],
      [{ partitionColumn: { name: 'd', type: 'jsonb' } }, keys, 'cannot be jsonb'],
      [{ partitionColumn: { name: 'x', type: 'date' } }, daily, 'is text in columns and date'],
      [
        { partitionColumns: { b: { name: 'b', type: 'timestamptz' } } },
        Partitions.multi({ a: hourly, b: hourly }),
        'no one window',
      ],
      [{}, Partitions.multi({ 'a-b': keys }), 'cannot be named'],
    ];
    for (const [options, scheme, part] of wrong)
      expect(problemsOf(options, scheme)).toEqual([expect.stringContaining(part)]);
  });

  it('says of which partition a row is by values that differ wherever keys do', () => {
    const textOf = (scheme: PartitionScheme, key: string, type?: string) => {
      const { declaration } = readDeclaration(
        { table: 't', ...(type && { partitionColumn: { name: 'c', type } }) },
        scheme,
        'flowstone',
      );
      const columns = declaration!.partitions.map((each) => ({ ...each, type: each.type ?? usualPartitionType(each) }));
      const window = { start: new Date('2001-03-04T05:00:00Z'), end: new Date('2001-03-04T06:00:00Z') };
      return fixedColumns(columns, key, { scheme, window }).map((column) => `${column.type.name} ${column.text}`);
    };
    expect(textOf(daily, '2001-03-04')).toEqual(['date 2001-03-04']);
    expect(textOf(Partitions.monthly({ start: '2001' }), '2001-03')).toEqual(['date 2001-03-01']);
    expect(textOf(hourly, '2001-03-04T05')).toEqual(['timestamp with time zone 2001-03-04T05:00:00.000Z']);
    expect(textOf(several, encodeDimensions(['2001-03-04', 'a b/c']))).toEqual(['date 2001-03-04', 'text a b/c']);
    expect(textOf(keys, '12', 'integer')).toEqual(['integer 12']);
    for (const [key, type] of [
      ['012', 'integer'],
      ['1.0', 'integer'],
      ['-0', 'integer'],
      ['3000000000', 'integer'],
      ['abcd', 'varchar(3)'],
    ])
      expect(() => textOf(keys, key!, type)).toThrow(
        expect.objectContaining({ code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED' }),
      );
  });
});

describe('an entity as the columns of a table', () => {
  it('leaves to the database what that fills, and takes over names, types and nulls', () => {
    @Entity({ name: 'orders', schema: 'shop' })
    class Order {
      @PrimaryGeneratedColumn() id!: number;
      @Column() title!: string;
      @Column('timestamptz', { name: 'placed_at', nullable: true }) placedAt!: Date | null;
      @Column('text', { array: true }) labels!: string[];
    }
    const { declaration, problems } = readDeclaration({ entity: Order }, undefined, 'flowstone');
    expect(problems).toEqual([]);
    expect(declaration).toMatchObject({ schema: 'shop', table: 'orders', key: undefined });
    expect(
      declaration!.columns!.map(({ property, name, type, nullable }) => [property, name, type.name, nullable]),
    ).toEqual([
      ['title', 'title', 'character varying', false],
      ['placedAt', 'placed_at', 'timestamp with time zone', true],
      ['labels', 'labels', 'text[]', false],
    ]);
  });

  it('is part of the definition of its asset by what it says, not by which class it is', () => {
    const [first, same, other, renamed] = (['integer', 'integer', 'bigint', 'integer'] as const).map((type, index) => {
      @Entity(index === 3 ? 'fares' : 'facts')
      class Facts {
        @PrimaryColumn(type) id!: number;
      }
      @Asset({ name: 'facts', io: 'postgres', entity: Facts })
      class FactsAsset {
        execute() {}
      }
      const io = new IoRegistry([['postgres', new PostgresIoManager({ url: 'postgres://nowhere' })]]);
      const [registered] = checkDeclarations(discoveryOf([FactsAsset]), {
        ...{ names: io.names, default: 'postgres', keepsHeadOnly: () => true },
        optionProblems: (name, options) => io.optionProblems(name, options),
        plainOptions: (name, options) => io.plainOptions(name, options),
      });
      return registered!.definition;
    });
    expect(same!.hash).toBe(first!.hash);
    expect(new Set([first!.hash, other!.hash, renamed!.hash]).size).toBe(3);
    expect(JSON.parse(JSON.stringify(storedDefinition(first!)))).toMatchObject({
      ioOptions: {
        entity: {
          table: 'facts',
          columns: [{ property: 'id', name: 'id', type: 'integer', nullable: false }],
          key: ['id'],
        },
      },
    });
  });

  it('is refused where it holds what no column does', () => {
    class Plain {}
    @Entity()
    class Broken {
      @PrimaryColumn('integer') id!: number;
      @Column('interval') wait!: string;
      @Column('text', { transformer: { to: String, from: String } }) changed!: string;
      @Column('text', { name: 'a"b' }) hostile!: string;
      @Column('text', { name: 'plain' }) ['__proto__']!: string;
      @ManyToOne(() => Broken) parent!: unknown;
    }
    expect(readDeclaration({ entity: Plain }, undefined, 'flowstone').problems[0]).toContain('has no @Entity()');
    expect(readDeclaration({ entity: 'Plain' }, undefined, 'flowstone').problems[0]).toContain('must be a class');
    const { problems } = readDeclaration({ entity: Broken, columns: { id: 'integer' } }, undefined, 'flowstone');
    for (const part of [
      'relations',
      'Broken.wait is interval',
      'transformer',
      '"a\\"b"',
      'property cannot be named',
      'beside entity',
    ])
      expect(problems).toContainEqual(expect.stringContaining(part));
  });
});
