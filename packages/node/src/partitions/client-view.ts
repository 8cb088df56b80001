import type { ClientView } from '@larder/proto';
import type { ViewDocument } from '../cluster/view-document.js';

/** What clients are told of a view: who is there, and who owns what. */
export function clientView(view: ViewDocument): ClientView {
  const nodes = view.members.map(({ id, address }) => ({ id, address }));
  const indexes = new Map(nodes.map(({ id }, index) => [id, index]));
  const owners = Uint16Array.from(view.partitions, ({ owner }) => indexes.get(owner) ?? 0);
  const lost = Uint32Array.from(view.partitions, (placement) => placement.lost);
  return { version: view.version, nodes, owners, lost, cluster: view.cluster };
}
