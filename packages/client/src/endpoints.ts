import { LarderError } from '@larder/proto';
import { shownValue } from './shown-value.js';

/** Where to find the cluster: `host:port` of some of its nodes. */
export type Endpoints = string | readonly string[] | (() => readonly string[] | Promise<readonly string[]>);

const ENDPOINT = /^(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):(\d{1,5})$/;
/** More would only make the search for a node that answers longer. */
const ENDPOINTS_MAX = 1_024;

/** Checks what can be checked now; a function is asked, and its answer checked, each time. Throws BAD_ARGUMENT. */
export function resolveEndpoints(given: Endpoints): () => Promise<readonly string[]> {
  if (typeof given === 'function') return async () => endpointList(await given());
  const list = endpointList(given);
  return async () => list;
}

/** host:port, the host also an IPv6 address in brackets. */
export function isAddress(text: string): boolean {
  const port = Number(ENDPOINT.exec(text)?.[2]);
  return port > 0 && port <= 65_535;
}

function endpointList(given: string | readonly string[]): readonly string[] {
  const list: unknown = typeof given === 'string' ? given.replace(/^larder:\/\//, '').split(',') : given;
  if (!Array.isArray(list) || list.length === 0 || list.length > ENDPOINTS_MAX) {
    throw badEndpoints(`endpoints is ${shownValue(given)}; allowed are 1 to ${ENDPOINTS_MAX} of host:port`);
  }
  return [...new Set(list.map(endpoint))];
}

function endpoint(given: unknown): string {
  const trimmed = typeof given === 'string' ? given.trim() : '';
  if (isAddress(trimmed)) return trimmed;
  throw badEndpoints(`endpoints holds ${shownValue(given)}; allowed is host:port, the port from 1 to 65535`);
}

function badEndpoints(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
