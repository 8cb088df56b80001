import { LarderError, type SharedSettings } from '@larder/proto';

/**
 * Why this node will not run with one that has those settings: INCOMPATIBLE, naming the first difference. Records name a
 * cache by its place, so where both have one it must be the same; a node that has more at the end is being rolled out.
 * `there` is who has them, as the subject of a sentence.
 */
export function faultOfSettings(theirs: SharedSettings, ours: SharedSettings, there: string): LarderError | undefined {
  if (theirs.copies !== ours.copies) {
    return incompatible(`${there} has cluster.copies ${theirs.copies}; this node has ${ours.copies}`);
  }
  const shared = Math.min(theirs.caches.length, ours.caches.length);
  const place = ours.caches.findIndex((name, index) => index < shared && name !== theirs.caches[index]);
  if (place < 0) return undefined;
  const [cache, other] = [ours.caches[place], theirs.caches[place]].map((name) => JSON.stringify(name));
  const rule = 'all nodes list the same caches in the same order, and new ones at the end';
  return incompatible(`cache ${place + 1} of ${there} is ${other}, and of this node ${cache}; ${rule}`);
}

function incompatible(what: string): LarderError {
  return new LarderError('INCOMPATIBLE', what);
}
