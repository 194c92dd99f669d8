// @Check: declares that values of an asset are looked at.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import type { AssetClass } from '../assets/asset.definition.js';
import type { ValueOf } from '../assets/asset.value.js';
import type { CheckFunction, CheckOptions } from './check.options.js';

const CHECKS = Symbol.for('flowstone:checks');

/** A check as declared. Unchecked. */
export interface MarkedCheck {
  readonly asset: unknown;
  readonly method: string;
  /** Whether it is a class of its own. */
  readonly ofClass: boolean;
  readonly options: CheckOptions;
}

/** What decorates a class with `check(context, value)`, or a method like it. */
export interface CheckDecorator<V> {
  (target: abstract new (...args: any[]) => { check: CheckFunction<V> }): void;
  <F extends CheckFunction<V>>(target: object, method: string | symbol, descriptor: TypedPropertyDescriptor<F>): void;
}

/**
 * Has each new value of an asset looked at by a method of any injectable class, or by a class with `check`, which this makes
 * injectable. It answers whether the value is as it should be; what it throws says that it could not tell. See docs/checks.md. A class
 * that stands further below is named by a function: `@Check(() => Orders)`. Mistakes are reported at boot.
 */
export function Check<C extends AssetClass>(
  asset: C | (() => C),
  options: CheckOptions & { readonly destination: true },
): CheckDecorator<undefined>;
export function Check<C extends AssetClass>(asset: C | (() => C), options?: CheckOptions): CheckDecorator<ValueOf<C>>;
export function Check(asset: unknown, options: CheckOptions = {}): CheckDecorator<unknown> {
  return (target: object, method?: string | symbol) => {
    const declaring = method === undefined ? target : target.constructor;
    if (method === undefined) Injectable()(declaring as AssetClass);
    const marked = { asset, method: String(method ?? 'check'), ofClass: method === undefined, options };
    Reflect.defineMetadata(CHECKS, [...checksOf(declaring), marked], declaring);
  };
}

/** What is declared on a class and those it extends. */
export function checksOf(target: object): readonly MarkedCheck[] {
  return (Reflect.getMetadata(CHECKS, target) as readonly MarkedCheck[] | undefined) ?? [];
}
