// What processes tell each other of themselves: that they live, and how the resources are that assets borrow there.

/**
 * How a resource is in one process:
 * - `setting_up`: it has not been set up yet.
 * - `healthy`: what requires it may begin.
 * - `unhealthy`: its setup or its last health check has failed; what requires it waits.
 */
export type ResourceState = 'setting_up' | 'healthy' | 'unhealthy';

/** A resource as its process tells of it. */
export interface ResourceReport {
  readonly name: string;
  readonly state: ResourceState;
  /** Why it is not healthy. */
  readonly message: string | null;
  /** Keys of the assets that require it there. */
  readonly assets: readonly string[];
}

/** A resource as others see it. */
export interface ProcessResource extends ResourceReport {
  /** Since when it is in this state, by the ledger's clock. */
  readonly since: Date;
}

/** A process of the application, until it leaves or is given up. */
export interface ProcessRecord {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Whether it executes materializations. */
  readonly worker: boolean;
  readonly enteredAt: Date;
  /** What it holds is given to others after this, unless it is heard of before. */
  readonly leaseUntil: Date;
  /** By name. */
  readonly resources: readonly ProcessResource[];
}

/** Why nobody can begin an asset: in every worker that has the definition that counts, something it requires is not healthy. */
export interface HeldAsset {
  readonly asset: string;
  /** The resource that has been so for longest. */
  readonly resource: string;
  readonly state: Exclude<ResourceState, 'healthy'>;
  readonly message: string | null;
  readonly since: Date;
}
