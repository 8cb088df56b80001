import { LarderError } from '@larder/proto';
import type { ServeObstacle } from './serve-rule.js';
import { memberOf, type ViewDocument } from './view-document.js';

/** The errors of the cluster: why a call, a message or a document was not accepted. */
export function refusalOf(
  partition: number,
  obstacle: ServeObstacle,
  view: ViewDocument | undefined,
  selfId: string,
): LarderError {
  const owner = view && memberOf(view, view.partitions[partition]?.owner ?? '');
  const common = { outcome: 'not-applied', node: selfId } as const;
  if (view === undefined || owner === undefined) {
    return new LarderError('UNAVAILABLE', `node ${selfId} has not joined a cluster yet`, common);
  }
  if (owner.id !== selfId) {
    const details = { viewVersion: view.version, owner: owner.address };
    const message = `partition ${partition} belongs to node ${owner.id} at ${owner.address}, not to ${selfId}`;
    return new LarderError('NOT_OWNER', message, { ...common, details });
  }
  const message = `node ${selfId} cannot serve partition ${partition} right now: ${REASONS[obstacle]}`;
  return new LarderError('BUSY', message, { ...common, details: { viewVersion: view.version, obstacle } });
}

const REASONS: Readonly<Record<ServeObstacle, string>> = {
  'not-owner': 'it was given to another node a moment ago',
  'no-copy': 'it holds no copy of it',
  waiting: 'it waits until the owner before can serve no more, and until room is made for the entries',
  frozen: 'it is handing it over',
  'view-lease': 'it has not reached the view store for too long',
  'pair-lease': 'its successor has not confirmed its lease',
};

refusalOf.otherCluster = (theirs: string, own: string): LarderError =>
  new LarderError('INCOMPATIBLE', `it belongs to cluster ${theirs}; this node belongs to cluster ${own}`);

refusalOf.otherPartitionCount = (theirs: number, own: number): LarderError =>
  new LarderError('INCOMPATIBLE', `it has ${theirs} partitions; this node was built for ${own}`);
