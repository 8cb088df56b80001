import type { Clock, Timer } from '@larder/base';
import { LarderError } from '@larder/proto';
import type { AcceptorDisk } from './acceptor.js';
import { type AcceptorState, encodeAcceptorState, type FoundingState } from './acceptor-state.js';

/**
 * How voters that have never voted come to vote, without anybody saying that this is the first start. The danger is a
 * voter whose disk was wiped: it has forgotten what it promised, and looks like a new one. So:
 *
 *   founding   the voter has a disk, with an id drawn at random, and asks the others for theirs
 *   agreed     it has seen the ids of all, and has them on its disk. That is for good: there is no other list for it
 *   voting     it has seen that all others are agreed on the same list, or that one of them votes under it
 *
 * Before anybody votes, all have the same list on their disks. A disk that comes later is in no list, and no voter that
 * has one agrees to another: a wiped voter finds a list without its id, and is refused for good. The price: all voters must
 * be up once, and a disk that is lost between the first and the last phase means that the founding has to begin anew.
 */

/** What a voter tells others of itself; only what is on its disk. */
export interface FoundingReport extends FoundingState {
  readonly diskId: string;
}

export type FoundingStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'agree' | 'vote'; readonly disks: readonly string[] }
  | { readonly kind: 'refuse'; readonly reason: string };

const WAIT: FoundingStep = { kind: 'wait' };

/** What voter number `self` has to do, given what it last heard of the others. `names` are the voters'. */
export function foundingStep(
  self: number,
  own: FoundingReport,
  reports: readonly (FoundingReport | undefined)[],
  names: readonly string[],
): FoundingStep {
  if (own.phase === 'voting') return WAIT;
  const others = reports.map((report, index) => (index === self ? own : report));
  for (const [index, report] of others.entries()) {
    if (index === self || report === undefined || report.phase === 'founding') continue;
    if (report.disks[self] !== own.diskId) {
      const wiped = `voter ${names[index]} knows another disk of voter ${names[self]}: this one was wiped or replaced`;
      return { kind: 'refuse', reason: `${wiped}, and must not vote again` };
    }
    if (own.phase === 'founding') return { kind: 'agree', disks: report.disks };
    if (!isSame(report.disks, own.disks)) return { kind: 'refuse', reason: conflict(own, report, names) };
    if (report.phase === 'voting') return { kind: 'vote', disks: own.disks };
  }
  if (!others.every((report) => report !== undefined)) return WAIT;
  if (own.phase === 'founding') return { kind: 'agree', disks: others.map((report) => report.diskId) };
  return others.every(({ phase }) => phase === 'agreed') ? { kind: 'vote', disks: own.disks } : WAIT;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((disk, index) => disk === b[index]);
}

function conflict(a: FoundingState, b: FoundingState, names: readonly string[]): string {
  const changed = names.filter((_, index) => a.disks[index] !== b.disks[index]);
  return `the disk of ${changed.join(' and ')} was replaced before the first vote: remove the files of all voters and start again`;
}

export interface FoundingHost {
  readonly clock: Clock;
  /** All voters, by name, in their order. */
  readonly names: readonly string[];
  /** Asks that voter for its report; `heard` is called if it answers. */
  ask(voter: number): void;
  voting(state: AcceptorState): void;
  /** It will never vote with this disk. */
  refused(error: LarderError): void;
}

const ASK_MS = 100;

export class Founding {
  readonly #reports: (FoundingReport | undefined)[];
  #asking: Timer | undefined;
  #saving = false;
  #over = false;

  constructor(
    readonly self: number,
    /** What is on the disk. */
    public state: AcceptorState,
    readonly disk: AcceptorDisk,
    readonly host: FoundingHost,
  ) {
    this.#reports = new Array(host.names.length).fill(undefined);
  }

  start(): void {
    if (this.state.founding.disks.length > 0 && this.state.founding.disks.length !== this.host.names.length) {
      this.#refuse(
        `its file was made for ${this.state.founding.disks.length} voters; the command line has ${this.host.names.length}`,
      );
    } else if (this.state.founding.phase === 'voting') {
      this.#vote();
    } else {
      this.#asking = this.host.clock.every(ASK_MS, () => this.#askAll());
      this.#askAll();
      this.#advance();
    }
  }

  get report(): FoundingReport {
    const { diskId, founding } = this.state;
    return { diskId, ...founding };
  }

  /** Voters that have not been heard of yet. */
  get missing(): readonly string[] {
    return this.host.names.filter((_, index) => index !== this.self && this.#reports[index] === undefined);
  }

  heard(voter: number, report: FoundingReport): void {
    if (this.#over) return;
    this.#reports[voter] = report;
    this.#advance();
  }

  stop(): void {
    this.#over = true;
    this.#asking?.cancel();
  }

  #askAll(): void {
    for (const voter of this.host.names.keys()) if (voter !== this.self) this.host.ask(voter);
  }

  #advance(): void {
    if (this.#saving || this.#over) return;
    const step = foundingStep(this.self, this.report, this.#reports, this.host.names);
    if (step.kind === 'refuse') this.#refuse(step.reason);
    else if (step.kind !== 'wait') this.#save({ phase: step.kind === 'vote' ? 'voting' : 'agreed', disks: step.disks });
  }

  #save(founding: FoundingState): void {
    const state = { ...this.state, founding };
    this.#saving = true;
    this.disk.save(encodeAcceptorState(state), (error) => {
      this.#saving = false;
      if (this.#over) return;
      if (error !== undefined) {
        this.#refuse(`its file could not be written: ${error.message}`);
        return;
      }
      this.state = state;
      if (founding.phase === 'voting') this.#vote();
      else this.#advance();
    });
  }

  #vote(): void {
    this.stop();
    this.host.voting(this.state);
  }

  #refuse(reason: string): void {
    this.stop();
    this.host.refused(new LarderError('CONFIG', `voter ${this.host.names[this.self]} does not vote: ${reason}`));
  }
}
