// @Resource: declares that a provider is set up, watched and torn down by FlowStone.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import type { ManagedResource, ProvidedResource, ResourceOptions } from './resource.options.js';

const RESOURCE = Symbol.for('flowstone:resource');

type ResourceClass<T = unknown> = abstract new (...args: any[]) => T;

/**
 * Makes a class a resource: something external that assets borrow with `@Requires`. It may have `setup`, `checkHealth` and
 * `teardown` ({@link ManagedResource}). In each process that executes assets it is set up before what requires it begins,
 * its health is looked at, and it is torn down when nothing uses it any more. While it is not healthy, assets that require it
 * are not begun in that process; everything else goes on. Makes the class injectable. Mistakes are reported at boot.
 */
export function Resource(options: ResourceOptions = {}): (target: ResourceClass<ManagedResource | object>) => void {
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(RESOURCE, options, target);
  };
}

/**
 * A resource for forRoot({ resources }), of a provider that has no decorator, such as a DataSource or the client of a service:
 * `asResource(DataSource, { checkHealth: (database) => database.query('SELECT 1') })`.
 */
export function asResource<T>(
  provide: ResourceClass<T>,
  options: ResourceOptions & {
    readonly [K in keyof ManagedResource]?: (
      instance: T,
      ...context: Parameters<NonNullable<ManagedResource[K]>>
    ) => unknown;
  },
): ProvidedResource {
  return { provide, ...options };
}

/** The options of `@Resource` on this very class; undefined: it is none. Unchecked. */
export function resourceOptionsOf(target: unknown): ResourceOptions | undefined {
  return typeof target === 'function'
    ? (Reflect.getOwnMetadata(RESOURCE, target) as ResourceOptions | undefined)
    : undefined;
}

/** The classes that its constructor takes. */
export function constructorClasses(target: ResourceClass): readonly unknown[] {
  const types = (Reflect.getMetadata('design:paramtypes', target) ?? []) as readonly unknown[];
  const named = (Reflect.getMetadata('self:paramtypes', target) ?? []) as readonly { index: number; param: unknown }[];
  const byPlace = new Map(named.map(({ index, param }) => [index, param]));
  return types.map((type, index) => byPlace.get(index) ?? type);
}
