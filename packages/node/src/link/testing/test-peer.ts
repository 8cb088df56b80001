import { Server, ServerCredentials } from '@grpc/grpc-js';
import { seededRandom, systemClock } from '@larder/base';
import { type LarderError, peerService } from '@larder/proto';
import type { Envelope, PeerMessage, RecordRun } from '../../replication/messages.js';
import type { IncomingStream } from '../incoming-link.js';
import { PeerLinks, type PeerLinksHost, type PeerLinksOptions } from '../peer-links.js';

/** A node reduced to its links: a real gRPC server on a port of its own, and what came in. */
export class TestPeer implements PeerLinksHost {
  readonly envelopes: Envelope[] = [];
  readonly openings: string[] = [];
  readonly refusals: { readonly node: string; readonly error: LarderError }[] = [];
  readonly links: PeerLinks;
  cluster = '';
  #server: Server | undefined;
  #watchers: (() => void)[] = [];

  private constructor(
    readonly id: string,
    readonly incarnation: string,
    readonly address: string,
    options: Partial<PeerLinksOptions>,
  ) {
    this.links = new PeerLinks(this, {
      selfId: id,
      address,
      identity: () => ({ incarnation, cluster: this.cluster }),
      clock: systemClock,
      random: seededRandom(1),
      settings: { caches: [], copies: 2 },
      ...options,
    });
  }

  /** `address`: that of a peer that stopped; default: a new one. */
  static async start(
    id: string,
    options: Partial<PeerLinksOptions> & { readonly incarnation?: string; readonly at?: string } = {},
  ): Promise<TestPeer> {
    const { incarnation = incarnationOf(id), at = '127.0.0.1:0', ...rest } = options;
    const server = new Server({ 'grpc.enable_channelz': 0 });
    const unused = (): void => {};
    const accept = (stream: IncomingStream): void => peer.links.accept(stream);
    server.addService(peerService, { Link: accept, Vote: unused, Describe: unused });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(at, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const peer = new TestPeer(id, incarnation, `127.0.0.1:${port}`, rest);
    peer.#server = server;
    return peer;
  }

  get member() {
    return { id: this.id, address: this.address, incarnation: this.incarnation };
  }

  /** What came, without who sent it. */
  get messages(): PeerMessage[] {
    return this.envelopes.map(({ message }) => message);
  }

  /** The records that came, each run with the sender's view: what is put together in a message depends on the frames. */
  get runs(): (RecordRun & { readonly viewVersion: number })[] {
    return this.envelopes.flatMap(({ viewVersion, message }) =>
      message.kind === 'replicate' ? message.runs.map((run) => ({ ...run, viewVersion })) : [],
    );
  }

  /** As if the process had ended: connections break, nothing answers. */
  async stopListening(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.drain(this.address, 0);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  }

  async close(): Promise<void> {
    await this.links.close();
    await this.stopListening();
  }

  /** Follows these, and resolves when streams to all of them stand. */
  async link(...others: readonly TestPeer[]): Promise<void> {
    this.links.follow([this, ...others].map(({ member }) => member));
    await this.until(() => others.every(({ id }) => this.openings.includes(id)));
  }

  send(node: string, message: PeerMessage, viewVersion = 1): void {
    const { cluster, id, incarnation } = this;
    this.links.send(node, { cluster, node: id, incarnation, viewVersion, message });
  }

  /** Resolves when it holds; asked whenever something has come in. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
        else this.#watchers.push(look);
      };
      look();
    });
  }

  received(envelope: Envelope): void {
    this.envelopes.push(envelope);
    this.#changed();
  }

  opened(node: string): void {
    this.openings.push(node);
    this.#changed();
  }

  refused(node: string, error: LarderError): void {
    this.refusals.push({ node, error });
    this.#changed();
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const look of watchers) look();
  }
}

/** 128 bits that differ by id. */
export function incarnationOf(id: string): string {
  return Buffer.from(id).toString('hex').padStart(32, '0');
}
