/**
 * A TCP proxy before every node, for machines that do not permit network namespaces. All nodes and clients reach a node
 * at the address of its proxy, which carries the bytes of each direction, or holds them back while it is cut: nothing
 * arrives and nobody is told. What was held arrives when it is mended, as with TCP, which repeats what was lost.
 *
 * Who has opened a connection the proxy learns from Linux (connection-owner.ts), so that the nodes need no option for it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from '@larder/test-kit';
import { type ChaosNetwork, CLIENTS, type NodePlace } from './chaos-network.js';
import { connectionOwner } from './connection-owner.js';
import { type Direction, Pipe } from './proxied-connection.js';

interface Proxy {
  readonly id: string;
  readonly server: Server;
  readonly place: NodePlace;
}

/** A connection, from who opened it to whom; its pipes once it has been passed on. */
interface Passing {
  readonly from: string;
  readonly to: string;
  readonly near: Socket;
  far: Socket | undefined;
  pipes: readonly Pipe[];
}

export class ProxyNetwork implements ChaosNetwork {
  readonly kind = 'proxy';
  readonly #proxies = new Map<string, Proxy>();
  readonly #pids = new Map<number, string>();
  readonly #directions = new Map<string, Direction>();
  readonly #delays = new Map<string, number>();
  readonly #passing = new Set<Passing>();

  static async open(): Promise<ProxyNetwork> {
    if (process.platform !== 'linux') throw new Error('the proxy tells connections apart by what Linux says of them');
    return new ProxyNetwork();
  }

  async addNode(id: string): Promise<NodePlace> {
    const known = this.#proxies.get(id);
    if (known !== undefined) return known.place;
    const listen = `127.0.0.1:${(await freePorts(1))[0]}`;
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.#accept(id, socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = { listen, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, prefix: [] };
    this.#proxies.set(id, { id, server, place });
    return place;
  }

  nodeProcess(id: string, pid: number): void {
    for (const [known, of] of this.#pids) if (of === id) this.#pids.delete(known);
    this.#pids.set(pid, id);
  }

  async cut(from: string, to: string): Promise<void> {
    this.#direction(from, to).isCut = true;
  }

  async delay(id: string, delayMs: number): Promise<void> {
    this.#delays.set(id, delayMs / 2);
    for (const [name, direction] of this.#directions) direction.delayMs = this.#delayOf(...ends(name));
    this.#move();
  }

  async mend(): Promise<void> {
    for (const direction of this.#directions.values()) direction.isCut = false;
    this.#move();
  }

  async close(): Promise<void> {
    for (const { near, far } of this.#passing) {
      near.destroy();
      far?.destroy();
    }
    for (const { server } of this.#proxies.values()) {
      server.close();
      await once(server, 'close');
    }
  }

  #accept(to: string, near: Socket): void {
    near.on('error', () => {});
    const from = connectionOwner(near.remotePort ?? 0, near.localPort ?? 0, this.#pids) ?? CLIENTS;
    const passing: Passing = { from, to, near, far: undefined, pipes: [] };
    this.#passing.add(passing);
    near.on('close', () => this.#forget(passing));
    this.#passOn(passing);
  }

  /** A connection needs both directions to come into being. */
  #passOn(passing: Passing): void {
    const { from, to, near } = passing;
    const there = this.#direction(from, to);
    const back = this.#direction(to, from);
    if (passing.far !== undefined || near.destroyed || there.isCut || back.isCut) return;
    const [host, port] = this.#proxies.get(to)!.place.listen.split(':') as [string, string];
    const far = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
    near.setNoDelay(true);
    passing.far = far;
    passing.pipes = [new Pipe(near, far, there), new Pipe(far, near, back)];
    far.on('close', () => this.#forget(passing));
    near.resume();
  }

  #forget(passing: Passing): void {
    const { near, far } = passing;
    if (near.destroyed && (far === undefined || far.destroyed)) this.#passing.delete(passing);
  }

  #move(): void {
    for (const passing of this.#passing) {
      this.#passOn(passing);
      for (const pipe of passing.pipes) pipe.move();
    }
  }

  #direction(from: string, to: string): Direction {
    const name = `${from}>${to}`;
    const known = this.#directions.get(name);
    if (known !== undefined) return known;
    const made = { isCut: false, delayMs: this.#delayOf(from, to) };
    this.#directions.set(name, made);
    return made;
  }

  #delayOf(from: string, to: string): number {
    return (this.#delays.get(from) ?? 0) + (this.#delays.get(to) ?? 0);
  }
}

function ends(name: string): [from: string, to: string] {
  return name.split('>') as [string, string];
}
