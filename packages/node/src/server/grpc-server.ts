import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Clock, Timer } from '@larder/base';
import { adminService, cacheService, LarderError, packageDefinition } from '@larder/proto';
import { HealthImplementation } from 'grpc-health-check';
import { ExitCode, startFault } from '../exit-code.js';
import type { Bulk } from './bulk.js';
import type { UnaryMethod } from './forward.js';
import { messageBytesMax } from './message-limit.js';
import type { ServerContext } from './server-context.js';
import { Session, type SessionStream } from './session.js';
import type { Unary } from './unary.js';

/**
 * All that a node answers on its port: CacheService, AdminService, health, reflection and what is added.
 *
 * Bounds: messages of one value and a little, STREAMS_PER_CONNECTION_MAX calls a connection, `sessionsMax` sessions a node
 * (RESOURCE_EXHAUSTED beyond it).
 */
const STREAMS_PER_CONNECTION_MAX = 1_024;
/** A client that vanished without a word is noticed after at most a minute and a half. */
const KEEPALIVE_TIME_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** A cluster that moves partitions has many views a second, of up to 30 KB for each client. */
const VIEW_PAUSE_MS = 50;
/** For connections that were cut to be gone. */
const CUT_MS = 500;
const HEALTH_NAMES = ['', 'larder.v1.CacheService', 'larder.v1.AdminService'];

/** Unary calls as unary.ts serves them. */
const served = (name: UnaryMethod) => ({ ...cacheService[name]!, responseStream: true });
const servedCacheService: ServiceDefinition = {
  ...cacheService,
  Get: served('Get'),
  Set: served('Set'),
  Delete: served('Delete'),
  Expire: served('Expire'),
};

export class GrpcServer {
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #sessions = new Set<Session>();
  readonly #endings: (() => void)[] = [];
  #viewTimer: Timer | undefined;
  #viewToldMs = Number.NEGATIVE_INFINITY;
  /** Undefined until it listens. */
  #address: string | undefined;

  constructor(
    readonly context: ServerContext,
    readonly clock: Clock,
    readonly unary: Unary,
    readonly bulk: Bulk,
    readonly sessionsMax: number,
  ) {
    this.#server = new Server({
      'grpc.max_receive_message_length': messageBytesMax(context.valueBytesMax),
      'grpc.max_concurrent_streams': STREAMS_PER_CONNECTION_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_channelz': 0,
    });
    this.#server.addService(servedCacheService, { ...unary.handlers, Bulk: bulk.open, Session: this.#openSession });
    this.#health = new HealthImplementation();
    this.#setHealth('NOT_SERVING');
    this.#health.addToServer(this.#server);
    new ReflectionService(packageDefinition).addToServer(this.#server);
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Operations, transfers and calls that were accepted and not answered yet. */
  get inFlight(): number {
    let count = this.unary.inFlight + this.bulk.inFlight;
    for (const session of this.#sessions) count += session.inFlight;
    return count;
  }

  addAdmin(handlers: UntypedServiceImplementation): void {
    this.addService(adminService, handlers);
  }

  /** A further service. `end` is called when the server closes, and has to end the streams of the service. */
  addService(service: ServiceDefinition, handlers: UntypedServiceImplementation, end?: () => void): void {
    this.#server.addService(service, handlers);
    if (end !== undefined) this.#endings.push(end);
  }

  /** Answers from now on. Throws UNAVAILABLE, with its exit code, if the address cannot be had. */
  async listen(address: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
        if (error) reject(bindFault(address, error));
        else resolve();
      });
    });
    this.#address = address;
  }

  /** Tells load balancers and probes to come. */
  startServing(): void {
    this.#setHealth('SERVING');
  }

  /** Every client is told the new view: at once, or with those that follow soon after the one before. */
  viewChanged(): void {
    if (this.#viewTimer !== undefined) return;
    const nowMs = this.clock.monotonicMs();
    const restMs = this.#viewToldMs + VIEW_PAUSE_MS - nowMs;
    if (restMs > 0) this.#viewTimer = this.clock.after(restMs, () => this.#tellView());
    else this.#tellView();
  }

  #tellView(): void {
    this.#viewTimer = undefined;
    this.#viewToldMs = this.clock.monotonicMs();
    for (const session of this.#sessions) session.viewChanged();
  }

  /** Tells load balancers and probes to go elsewhere. */
  stopServing(): void {
    this.#setHealth('NOT_SERVING');
  }

  /** Ends all streams and connections; those that have not ended after `timeoutMs` are cut. */
  async close(timeoutMs: number): Promise<void> {
    this.#viewTimer?.cancel();
    for (const session of this.#sessions) session.end();
    this.bulk.close();
    for (const end of this.#endings) end();
    // Not `forceShutdown`: grpc-js 1.14.7 with channelz switched off does not know the connections that it is to cut.
    if (this.#address !== undefined) this.#server.drain(this.#address, timeoutMs);
    await new Promise<void>((resolve) => {
      const waitedEnough = this.clock.after(timeoutMs + CUT_MS, resolve);
      this.#server.tryShutdown(() => {
        waitedEnough.cancel();
        resolve();
      });
    });
  }

  readonly #openSession = (stream: SessionStream): void => {
    if (this.#sessions.size >= this.sessionsMax) {
      const fault = new LarderError('BUSY', `node ${this.context.selfId} has ${this.sessionsMax} sessions, its bound`);
      this.context.endWithError(stream, fault);
      return;
    }
    this.#sessions.add(new Session(stream, this.context, (session) => this.#sessions.delete(session)));
  };

  #setHealth(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of HEALTH_NAMES) this.#health.setStatus(name, status);
  }
}

function bindFault(address: string, cause: Error): LarderError {
  const reason = cause.message.includes('EADDRINUSE')
    ? 'the port is in use'
    : cause.message.includes('EADDRNOTAVAIL')
      ? 'the address does not belong to this machine'
      : cause.message.includes('EACCES')
        ? 'this user may not use the port'
        : cause.message;
  return startFault(ExitCode.addressUnavailable, 'UNAVAILABLE', `cannot listen on ${address}: ${reason}`, cause);
}
