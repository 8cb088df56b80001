import { decodeView, encodeView } from './view-codec.js';
import { isSamePlacement, type ViewDocument } from './view-document.js';

/**
 * Each change of the view comes to a node many times: from its proposer, and from every voter in every answer. Reading and
 * checking it takes 1,024 partitions through the processor, comparing bytes takes a thousandth of that, so the documents
 * that were read last are kept beside their views.
 *
 * Besides, partitions that did not change from one view to the next are the same objects in both (a ViewDraft sees to the
 * same). Who installs a view needs to look only at those that are not.
 */

/** The view in use, the next, and what slow voters still show. About 20 KB each. */
const KNOWN_MAX = 4;

interface KnownView {
  readonly document: Uint8Array;
  readonly view: ViewDocument;
}

/** The latest first. */
const known: KnownView[] = [];

/** As decodeView, for documents that come more than once. */
export function readDocument(document: Uint8Array): ViewDocument {
  const found = known.find((one) => Buffer.compare(one.document, document) === 0);
  if (found !== undefined) return found.view;
  const view = shared(decodeView(document));
  // A copy: what it was cut from may be many times as large, or used again.
  remember({ document: Uint8Array.prototype.slice.call(document), view });
  return view;
}

/** As encodeView; when the document comes back it is known. */
export function writeDocument(view: ViewDocument): Uint8Array {
  const document = encodeView(view);
  remember({ document, view });
  return document;
}

function remember(one: KnownView): void {
  known.unshift(one);
  if (known.length > KNOWN_MAX) known.pop();
}

/** With the partitions of the latest view in the place of equal ones. */
function shared(view: ViewDocument): ViewDocument {
  const before = known[0]?.view;
  if (before === undefined || before.cluster !== view.cluster) return view;
  const partitions = view.partitions.map((placement, partition) => {
    const old = before.partitions[partition];
    return old !== undefined && isSamePlacement(old, placement) ? old : placement;
  });
  return { ...view, partitions };
}
