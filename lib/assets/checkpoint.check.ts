// Mistakes in the declaration of checkpoints that only show together with what they depend on and what is installed.
import { mappingCardinality } from '../partitions/mapping.js';
import { missingPackages } from '../optional-packages.js';
import type { Declaration, NoteMistake } from './declaration.reader.js';

/** What `modification` needs to be installed. */
const MODIFICATION_PACKAGES = ['class-validator', 'class-transformer'];

/** @param isHeadOnly whether only the newest version of what this declares is kept */
export function checkCheckpoint(
  declaration: Declaration,
  upstreamOf: (dependency: Declaration['dependencies'][number]) => Declaration | undefined,
  isHeadOnly: (upstream: Declaration) => boolean,
  note: NoteMistake,
): void {
  const { decision, asset, dependencies } = declaration;
  if (!decision) return;
  if (!decision.signal) checkPassingThrough(declaration, note);
  if (decision.modification) {
    const problem = missingPackages('modification', MODIFICATION_PACKAGES);
    if (problem) note(`its ${decision.signal ? 'payload' : 'modification'} cannot be checked`, problem);
  } else if (asset.methods.includes('onModify')) {
    note('it has onModify and no modification', 'say what a reviewer may give: modification: TheClass');
  }
  if (decision.pinInputs !== false) return;
  for (const dependency of dependencies) {
    const upstream = upstreamOf(dependency);
    if (!upstream || dependency.spec.ordering || !isHeadOnly(upstream)) continue;
    note(
      `it has pinInputs: false and depends on ${upstream.name} as ${dependency.alias}, of which only the newest version is kept`,
      'remove pinInputs, or store that input with a manager that keeps versions',
    );
  }
}

/** Without a method of its own the value is that of the only input. */
function checkPassingThrough({ asset, dependencies }: Declaration, note: NoteMistake): void {
  const lacking = [
    ...(asset.methods.includes('onApprove') ? [] : ['onApprove']),
    ...(asset.methods.includes('condition') && !asset.methods.includes('onSkip') ? ['onSkip'] : []),
  ];
  if (lacking.length === 0) return;
  const inputs = dependencies.filter(({ spec }) => !spec.ordering);
  const [only] = inputs;
  const fix = `add ${lacking.map((method) => `${method}(context, inputs)`).join(' and ')}, which ${lacking.length === 1 ? 'returns' : 'return'} its value`;
  if (!only || inputs.length > 1) {
    note(`it has ${inputs.length} inputs, so that none can be passed through`, fix);
  } else if (only.spec.optional || only.spec.mapping.allowMissing) {
    note(`its input ${only.alias} may be missing, so that it cannot be passed through`, fix);
  } else if (mappingCardinality(only.spec.mapping, undefined, undefined) === 'many') {
    note(`its input ${only.alias} is many partitions, which cannot be passed through`, fix);
  }
}
