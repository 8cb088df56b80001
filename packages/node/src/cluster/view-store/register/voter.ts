import type { Clock } from '@larder/base';
import { LarderError } from '@larder/proto';
import { Acceptor, type AcceptorDisk } from './acceptor.js';
import type { AcceptorState } from './acceptor-state.js';
import { Founding, type FoundingReport } from './founding.js';
import type { VoterReply, VoterRequest } from './voter-messages.js';

/**
 * One voter of the register, from its first start on: first it founds, then it votes; or it is refused, and then it does
 * neither for as long as the process lives. It knows no network and no file.
 */
export interface VoterOptions {
  /** Its place among the voters. */
  readonly self: number;
  readonly names: readonly string[];
  /** What is on the disk. */
  readonly state: AcceptorState;
  readonly disk: AcceptorDisk;
  readonly clock: Clock;
  /** Asks that voter for its report; `heard` is to be called if it answers. */
  readonly ask: (voter: number) => void;
  /** It has become a voter, now or at an earlier start. */
  readonly voting: () => void;
  /** It does not vote, for the reason that the error gives; the disk failed, or it is none that may vote. */
  readonly refused: (error: LarderError) => void;
}

export class Voter {
  readonly #founding: Founding;
  #acceptor: Acceptor | undefined;
  #refusal: LarderError | undefined;

  constructor(readonly options: VoterOptions) {
    const { self, names, state, clock, ask } = options;
    const disk = this.#watched(options.disk);
    this.#founding = new Founding(self, state, disk, {
      names,
      clock,
      ask,
      voting: (voting) => {
        this.#acceptor = new Acceptor(voting, disk);
        options.voting();
      },
      refused: (error) => this.#refuse(error),
    });
  }

  start(): void {
    this.#founding.start();
  }

  /** Why it does not vote: UNAVAILABLE if it may yet, CONFIG if it never will. */
  get obstacle(): LarderError | undefined {
    return this.#refusal ?? (this.#acceptor === undefined ? this.#notYet() : undefined);
  }

  /** Throws its obstacle. `reply` may never be called. */
  receive(request: VoterRequest, reply: (reply: VoterReply) => void): void {
    if (this.#refusal !== undefined || this.#acceptor === undefined) throw this.obstacle;
    this.#acceptor.receive(request, reply);
  }

  get report(): FoundingReport {
    return this.#founding.report;
  }

  heard(voter: number, report: FoundingReport): void {
    this.#founding.heard(voter, report);
  }

  stop(): void {
    this.#founding.stop();
  }

  #watched(disk: AcceptorDisk): AcceptorDisk {
    return {
      save: (bytes, done) =>
        disk.save(bytes, (error) => {
          done(error);
          if (error !== undefined && this.#acceptor !== undefined) this.#refuse(this.#diskFailed(error));
        }),
    };
  }

  #refuse(error: LarderError): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = error;
    this.options.refused(error);
  }

  #diskFailed(cause: Error): LarderError {
    const reason = `its file could not be written: ${cause.message}`;
    return new LarderError('CONFIG', `voter ${this.#name} does not vote any more: ${reason}`, { cause });
  }

  #notYet(): LarderError {
    const { missing } = this.#founding;
    const waitsFor = missing.length > 0 ? missing.join(', ') : 'the others to agree';
    return new LarderError('UNAVAILABLE', `voter ${this.#name} does not vote yet: it waits for ${waitsFor}`);
  }

  get #name(): string {
    return this.options.names[this.options.self]!;
  }
}
