import { Server, ServerCredentials } from '@grpc/grpc-js';
import { seededRandom, systemClock } from '@larder/base';
import { PARTITION_COUNT, peerService } from '@larder/proto';
import type { CasOutcome, ViewReading } from '../../cluster/view-store/view-store.js';
import type { ClusterDescription } from '../cluster-description.js';
import { type OpenedViewStore, openViewStore, type ViewStoreOptions } from '../open-view-store.js';
import { peerHandlers } from '../peer-service.js';
import type { NodeAddress } from '../voter-client.js';
import { KeptLog } from './kept-log.js';

/** A node reduced to its voter and its way to the others. */
export class TestVoter {
  readonly #server = new Server({ 'grpc.enable_channelz': 0 });

  private constructor(
    readonly address: string,
    readonly view: OpenedViewStore,
    readonly log: KeptLog,
  ) {}

  static async start(
    self: NodeAddress,
    voters: readonly NodeAddress[],
    options: Partial<ViewStoreOptions> & { readonly describe?: () => ClusterDescription } = {},
  ): Promise<TestVoter> {
    const nothing = { cluster: '', viewVersion: 0, members: [], caches: [], copies: 2 };
    const { describe = () => ({ node: self.id, voters, ...nothing }), ...rest } = options;
    const log = new KeptLog();
    const common = { clock: systemClock, random: seededRandom(self.id.charCodeAt(1)), log: log.asLog };
    const view = await openViewStore({ voters, selfId: self.id, ...common, ...rest });
    const voter = new TestVoter(self.address, view, log);
    await voter.#listen(describe);
    return voter;
  }

  read(): Promise<ViewReading> {
    return new Promise((resolve) => this.view.store.read(resolve));
  }

  /** As often as it takes: a register that is being founded does not answer. */
  async readSurely(): Promise<NonNullable<ViewReading>> {
    for (;;) {
      const reading = await this.read();
      if (reading !== undefined) return reading;
    }
  }

  cas(version: number, document: Uint8Array): Promise<CasOutcome> {
    return new Promise((resolve) => this.view.store.cas(version, document, resolve));
  }

  async stop(): Promise<void> {
    this.view.close();
    this.#server.drain(this.address, 0);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  async #listen(describe: () => ClusterDescription): Promise<void> {
    const links = { accept: () => {}, partitionCount: PARTITION_COUNT };
    this.#server.addService(peerService, peerHandlers({ links, viewStore: this.view, describe }));
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(this.address, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
}
