// @Asset: declares a class as an asset.
import { Injectable } from '@nestjs/common';
import type { AssetClass } from './asset.definition.js';
import { markAsset } from './asset.metadata.js';
import type { AssetOptions } from './asset.options.js';

/**
 * Declares a class as an asset: a named, persistent, versioned piece of data and the code (`execute`) that computes
 * it. Makes the class injectable; list it in the providers of a module. Mistakes are reported at boot, all at once.
 */
export function Asset(options: AssetOptions = {}): (target: AssetClass) => void {
  return (target) => {
    Injectable()(target);
    markAsset(target, options);
  };
}
