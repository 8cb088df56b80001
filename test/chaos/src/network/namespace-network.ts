/**
 * Every node in a network namespace of its own, joined by a bridge on which the clients are too. This is the kernel's own
 * TCP: what is cut loses packets, connections hang half open, and retransmission sets in when it is mended.
 *
 * A cut in one direction needs no firewall: the sender is told a hardware address for the receiver that no machine has,
 * and the bridge carries its frames to nobody. Delay needs the kernel's netem queue, which not every kernel has.
 * Needs Linux, root, and the `ip` program (and `tc` for delay).
 */
import { type ChaosNetwork, CLIENTS, type NodePlace } from './chaos-network.js';
import { command } from './command.js';
import { probeNamespaces } from './probe-namespaces.js';

const PORT = 7_400;
const NOBODY = '02:00:00:00:de:ad';
const BRIDGES_MAX = 64;
/** Of 10.213.N.0/24; the bridge itself, and with it the clients. */
const CLIENTS_HOST = 254;
const PREFIX = 'larder';

interface Place {
  readonly namespace: string;
  readonly ip: string;
  readonly hostInterface: string;
}

export class NamespaceNetwork implements ChaosNetwork {
  readonly kind = 'namespaces';
  readonly #places = new Map<string, Place>();
  readonly #mends = new Map<string, () => Promise<unknown>>();

  /** Rejects if this machine does not permit it, and says why. Nothing is left behind then. */
  static async open(): Promise<NamespaceNetwork> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new Error('namespaces need Linux and root');
    await sweep();
    const network = new NamespaceNetwork(await addBridge());
    try {
      await probeNamespaces(network);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  private constructor(private readonly number: number) {}

  /** Whether `delay` works here. */
  async canDelay(): Promise<boolean> {
    const bridge = this.#bridge;
    return command('tc', 'qdisc', 'add', 'dev', bridge, 'root', 'netem', 'delay', '1ms').then(
      () => command('tc', 'qdisc', 'del', 'dev', bridge, 'root').then(() => true),
      () => false,
    );
  }

  async addNode(id: string): Promise<NodePlace> {
    const known = this.#places.get(id);
    const place = known ?? (await this.#addPlace(id));
    const address = `${place.ip}:${PORT}`;
    return { listen: address, address, prefix: this.prefixOf(id) };
  }

  prefixOf(id: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#placeOf(id).namespace];
  }

  nodeProcess(): void {}

  async cut(from: string, to: string): Promise<void> {
    const at = from === CLIENTS ? [] : ['-n', this.#placeOf(from).namespace];
    const device = from === CLIENTS ? this.#bridge : 'eth0';
    const receiver = to === CLIENTS ? this.#ip(CLIENTS_HOST) : this.#placeOf(to).ip;
    const neighbour = ['dev', device, 'nud', 'permanent'];
    await command('ip', ...at, 'neigh', 'replace', receiver, 'lladdr', NOBODY, ...neighbour);
    this.#mends.set(`${from}>${to}`, () => command('ip', ...at, 'neigh', 'del', receiver, 'dev', device));
  }

  async mend(): Promise<void> {
    const mends = [...this.#mends.values()];
    this.#mends.clear();
    for (const mend of mends) await mend();
  }

  /** Half of it on each way. */
  async delay(id: string, delayMs: number): Promise<void> {
    const { namespace, hostInterface } = this.#placeOf(id);
    for (const [at, device] of [
      [['-n', namespace], 'eth0'],
      [[], hostInterface],
    ] as const) {
      if (delayMs === 0) await command('tc', ...at, 'qdisc', 'del', 'dev', device, 'root');
      else await command('tc', ...at, 'qdisc', 'replace', 'dev', device, 'root', 'netem', 'delay', `${delayMs / 2}ms`);
    }
  }

  async close(): Promise<void> {
    for (const { namespace } of this.#places.values()) await command('ip', 'netns', 'del', namespace).catch(() => {});
    await command('ip', 'link', 'del', this.#bridge).catch(() => {});
  }

  get #bridge(): string {
    return `${PREFIX}${this.number}`;
  }

  #ip(host: number): string {
    return `10.213.${this.number}.${host}`;
  }

  #placeOf(id: string): Place {
    const place = this.#places.get(id);
    if (place === undefined) throw new Error(`the network has no node ${id}`);
    return place;
  }

  async #addPlace(id: string): Promise<Place> {
    const host = this.#places.size + 1;
    const namespace = `${PREFIX}${this.number}-${id}`;
    const place = { namespace, ip: this.#ip(host), hostInterface: `${this.#bridge}-${host}` };
    this.#places.set(id, place);
    await command('ip', 'netns', 'add', namespace);
    const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace];
    await command('ip', 'link', 'add', place.hostInterface, ...peer);
    await command('ip', 'link', 'set', place.hostInterface, 'master', this.#bridge, 'up');
    await command('ip', '-n', namespace, 'addr', 'add', `${place.ip}/24`, 'dev', 'eth0');
    await command('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
    await command('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
    return place;
  }
}

/** The first number whose bridge nobody has. Its alias says whose it is, should this process die. */
async function addBridge(): Promise<number> {
  for (let number = 0; ; number++) {
    const name = `${PREFIX}${number}`;
    try {
      await command('ip', 'link', 'add', name, 'type', 'bridge');
    } catch (error) {
      if (number + 1 === BRIDGES_MAX || !/File exists/.test(String(error))) throw error;
      continue;
    }
    await command('ip', 'link', 'set', name, 'alias', `pid ${process.pid}`);
    await command('ip', 'addr', 'add', `10.213.${number}.${CLIENTS_HOST}/24`, 'dev', name);
    await command('ip', 'link', 'set', name, 'up');
    return number;
  }
}

/** Removes what runs that were killed have left. */
async function sweep(): Promise<void> {
  const links = JSON.parse(await command('ip', '-j', 'link', 'show', 'type', 'bridge')) as LinkFacts[];
  for (const { ifname, ifalias } of links) {
    const number = new RegExp(`^${PREFIX}(\\d+)$`).exec(ifname ?? '')?.[1];
    const pid = /^pid (\d+)$/.exec(ifalias ?? '')?.[1];
    if (number === undefined || pid === undefined || isAlive(Number(pid))) continue;
    const names = (await command('ip', 'netns', 'list')).split('\n').map((line) => line.split(' ')[0] as string);
    const left = names.filter((name) => name.startsWith(`${PREFIX}${number}-`));
    for (const name of left) await command('ip', 'netns', 'del', name);
    await command('ip', 'link', 'del', ifname as string);
  }
}

interface LinkFacts {
  readonly ifname?: string;
  readonly ifalias?: string;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
