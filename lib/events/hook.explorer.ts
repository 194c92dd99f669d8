// Finds the hooks among the providers of all modules of the application, and what is wrong with them.
import { Inject, Injectable, Scope } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { keyOf } from '../assets/asset.metadata.js';
import type { DeclarationProblem } from '../assets/declaration.problem.js';
import { text, wholeFrom } from '../assets/expectations.js';
import { unknownName } from '../graph/did-you-mean.js';
import type { FlowStoneEvent } from './event.js';
import { namesProblem } from './event.names.js';
import { hooksOf, type MarkedHook, type OnEventOptions } from './hook.decorators.js';
import type { Hook, HookDelivery } from './hook.js';

/** How often a hook is called for one event, where it does not say. */
const ATTEMPTS = 10;
const OPTIONS: readonly (keyof OnEventOptions)[] = ['name', 'attempts', 'asset'];

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Note = (problem: string, fix: string) => void;

@Injectable()
export class HookExplorer {
  constructor(@Inject(DiscoveryService) private readonly discovery: DiscoveryService) {}

  /** Call it once all providers exist. Mistakes are added to `problems`; what is wrong is left out. */
  explore(problems: DeclarationProblem[]): Hook[] {
    const found = new Map<unknown, Wrapper>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      // What is there under several tokens counts once.
      const declaring = classOf(wrapper);
      if (declaring && !found.has(wrapper.instance ?? declaring)) found.set(wrapper.instance ?? declaring, wrapper);
    }
    const hooks = [...found.values()].flatMap((wrapper) => {
      const declaring = classOf(wrapper)!;
      return hooksOf(declaring).flatMap((marked) => {
        const note: Note = (problem, fix) =>
          problems.push({ asset: `${declaring.name}.${marked.method}`, class: declaring.name, problem, fix });
        return hookOf(declaring.name, marked, wrapper, note) ?? [];
      });
    });
    const names = new Set<string>();
    for (const { name } of hooks) {
      if (names.has(name)) {
        const problem = `there are two hooks of the name '${name}', by which their places in the log are kept`;
        problems.push({ asset: name, class: name, problem, fix: "give each its own: { name: '...' }" });
      }
      names.add(name);
    }
    return hooks;
  }
}

/** The class that declares hooks, if it does. */
function classOf({ instance, metatype }: Wrapper): (abstract new (...args: never[]) => unknown) | undefined {
  const made = typeof instance === 'object' && instance !== null ? (instance as object).constructor : metatype;
  return typeof made === 'function' && hooksOf(made).length > 0
    ? (made as abstract new (...args: never[]) => unknown)
    : undefined;
}

function hookOf(className: string, marked: MarkedHook, wrapper: Wrapper, note: Note): Hook | undefined {
  const { method, events, options } = marked;
  const { name = `${className}.${method}`, attempts = ATTEMPTS, asset } = options;
  let isRight = true;
  const wrong: Note = (problem, fix) => {
    isRight = false;
    note(`its hook ${method}() ${problem}`, fix);
  };
  const misspelt = unknownName(options, OPTIONS);
  if (misspelt !== undefined) wrong(`has an option ${misspelt}`, `a hook has ${OPTIONS.join(', ')}`);
  const unnamed = namesProblem(events);
  if (unnamed !== undefined) wrong('names no events', `give it ${unnamed}`);
  const nameless = text(name);
  if (nameless !== undefined) wrong('has no name', `its name must be ${nameless}`);
  const uncounted = wholeFrom(1, 1000)(attempts);
  if (uncounted !== undefined) wrong('cannot be called so often', `attempts must be ${uncounted}`);
  const assets = asset === undefined ? undefined : [asset].flat();
  if (assets?.some((one) => typeof one !== 'function' && text(one) !== undefined))
    wrong('names something that is no asset', 'give it an asset class, a key, or a list of these');
  if (wrapper.scope === Scope.TRANSIENT || !wrapper.isDependencyTreeStatic())
    wrong('is of a provider that is made for each request', 'let the provider be a singleton');
  if (!isRight) return undefined;
  const instance = wrapper.instance as Record<string, (event: FlowStoneEvent, delivery: HookDelivery) => unknown>;
  return {
    name,
    events,
    assets: assets?.map((one) => (typeof one === 'string' ? one : keyOf(one))),
    attempts,
    call: async (event, delivery) => void (await instance[method]!(event, delivery)),
  };
}
