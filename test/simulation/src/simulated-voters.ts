import type { Random } from '@larder/base';
import {
  Acceptor,
  type AcceptorDisk,
  decodeAcceptorState,
  encodeAcceptorState,
  newAcceptorState,
  type ProtocolRules,
  RegisterStore,
  type ViewStore,
} from '@larder/node/internal';
import type { SimulatedNetwork } from './simulated-network.js';
import { SimulatedProcess } from './simulated-process.js';
import type { World } from './world.js';

/** The register on voters of their own: each a place in the network with a process and a disk that may be lost. */
export class SimulatedVoters {
  readonly voters: SimulatedVoter[];
  readonly #stores = new Map<string, RegisterStore>();

  constructor(
    readonly world: World,
    readonly random: Random,
    readonly network: SimulatedNetwork,
    readonly count: number,
    readonly deadlineMs: number,
    rules: ProtocolRules,
  ) {
    this.voters = Array.from({ length: count }, (_, index) => new SimulatedVoter(world, random, index, rules));
    for (const voter of this.voters) network.add(voter);
  }

  connect(node: string, process: SimulatedProcess, random: Random, incarnation: string): ViewStore {
    const store = new RegisterStore({
      voterCount: this.count,
      incarnation,
      clock: process,
      random,
      deadlineMs: this.deadlineMs,
      send: (index, request) => {
        const voter = this.voters[index]!;
        this.network.send(node, voter.name, () => {
          // As if the first nodes were the voters.
          [...this.#stores.values()][index]?.overhear(request);
          voter.acceptor?.receive(request, (reply) => {
            this.network.send(voter.name, node, () => {
              if (process.alive && this.#stores.get(node) === store) store.receive(index, reply);
            });
          });
        });
      },
    });
    this.#stores.set(node, store);
    return store;
  }
}

export class SimulatedVoter {
  readonly name: string;
  acceptor: Acceptor | undefined;
  process: SimulatedProcess;
  /** What survives a crash; undefined: wiped. */
  #disk: Uint8Array | undefined;

  constructor(
    readonly world: World,
    readonly random: Random,
    index: number,
    readonly rules: ProtocolRules,
  ) {
    this.name = `voter${index}`;
    const diskId = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0')).join('');
    this.#disk = encodeAcceptorState(newAcceptorState(diskId));
    this.process = this.#newProcess();
    this.start();
  }

  get wiped(): boolean {
    return this.#disk === undefined;
  }

  deliver(run: () => void): void {
    this.process.run(run);
  }

  linkOpened(): void {}

  /** A wiped voter finds no file, and does not vote again. */
  start(): void {
    if (this.#disk === undefined) return;
    this.process = this.#newProcess();
    const { process } = this;
    const disk: AcceptorDisk = {
      save: (bytes, done) => {
        // A crash before the sync is done loses the write or, just as well, keeps it.
        const delayMs = 0.2 + this.random.next() ** 4 * 30;
        const early = this.random.next() < 0.3;
        if (early) this.world.after(delayMs / 2, () => this.#keep(process, bytes));
        this.world.after(delayMs, () => {
          this.#keep(process, bytes);
          process.run(() => done(undefined));
        });
      },
    };
    this.acceptor = new Acceptor(decodeAcceptorState(this.#disk), disk, this.rules);
  }

  kill(): void {
    this.process.kill();
    this.acceptor = undefined;
  }

  wipe(): void {
    this.kill();
    this.#disk = undefined;
  }

  #keep(process: SimulatedProcess, bytes: Uint8Array): void {
    if (process.alive && this.#disk !== undefined) this.#disk = bytes;
  }

  #newProcess(): SimulatedProcess {
    return new SimulatedProcess(this.world, 1, 0, () => {});
  }
}
