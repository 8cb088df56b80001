import { compareClients } from './key-value/compare-clients.js';

export function run(argv: string[]): Promise<object> {
  return compareClients('get', argv);
}
