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

export class KnownViews {
  /** The latest first. */
  readonly #known: KnownView[] = [];

  /** As decodeView, for documents that come more than once. */
  read(document: Uint8Array): ViewDocument {
    const found = this.#known.find((one) => Buffer.compare(one.document, document) === 0);
    if (found !== undefined) return found.view;
    const view = this.#shared(decodeView(document));
    // A copy: what it was cut from may be many times as large, or used again.
    this.#remember({ document: Uint8Array.prototype.slice.call(document), view });
    return view;
  }

  /** As encodeView; when the document comes back it is known. */
  write(view: ViewDocument): Uint8Array {
    const document = encodeView(view);
    this.#remember({ document, view });
    return document;
  }

  #remember(one: KnownView): void {
    this.#known.unshift(one);
    if (this.#known.length > KNOWN_MAX) this.#known.pop();
  }

  /** With the partitions of the latest view in the place of equal ones. */
  #shared(view: ViewDocument): ViewDocument {
    const before = this.#known[0]?.view;
    if (before === undefined || before.cluster !== view.cluster) return view;
    const partitions = view.partitions.map((placement, partition) => {
      const old = before.partitions[partition];
      return old !== undefined && isSamePlacement(old, placement) ? old : placement;
    });
    return { ...view, partitions };
  }
}
