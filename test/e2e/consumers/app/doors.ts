// Only compiled: the other public doors resolve and have types in a consumer of either module kind.
import * as duckdb from 'nestjs-flowstone/duckdb';
import * as migrations from 'nestjs-flowstone/migrations';
import * as testing from 'nestjs-flowstone/testing';

export const doors: readonly object[] = [duckdb, migrations, testing];
