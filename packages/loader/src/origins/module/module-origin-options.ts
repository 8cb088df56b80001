import { z } from 'zod';
import { blockSetting, nameSetting } from '../../config-schema.js';

/** The `origin.module` block of a cache. */
export interface ModuleOriginOptions {
  /** A JavaScript module: a path, from the folder of the configuration file on, or the name of an installed package. */
  readonly path: string;
  /** What the module exports: an Origin, or a function that makes one. Default `default`. */
  readonly export?: string | undefined;
  /** Handed to that function; whatever it wants. */
  readonly options?: unknown;
}

export const moduleOriginSchema: z.ZodType<ModuleOriginOptions> = blockSetting({
  path: nameSetting('the path of a JavaScript module, such as ./orders-origin.mjs, or the name of a package'),
  export: nameSetting('the name of what the module exports').optional(),
  options: z.unknown().optional(),
});
