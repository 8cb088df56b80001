import {
  type ClientDuplexStream,
  credentials,
  Client as GrpcClient,
  type Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { packageDefinition } from '@larder/proto';

/**
 * A client that knows nothing but the .proto: every message goes through the codec that protobufjs makes of it, the
 * session's too.
 */
type Method = MethodDefinition<object, Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: a message's shape is the .proto's business.
export type Message = Record<string, any>;

export class GeneratedClient {
  readonly #client: GrpcClient;
  readonly #conversations: Conversation[] = [];

  constructor(address: string) {
    this.#client = new GrpcClient(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  }

  call(method: string, request: object, timeoutMs = 5_000, metadata?: Metadata): Promise<Message> {
    const { path, requestSerialize, responseDeserialize } = methodNamed(method);
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Message): void => {
        if (error) reject(error);
        else resolve(response as Message);
      };
      const options = { deadline: Date.now() + timeoutMs };
      if (metadata) {
        this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
      } else {
        this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
      }
    });
  }

  /** What grpc.health.v1.Health says of a service, '' for the whole node. */
  async health(service: string): Promise<'SERVING' | 'NOT_SERVING'> {
    // HealthCheckRequest has the name in field 1, HealthCheckResponse the status: 1 SERVING, 2 NOT_SERVING.
    const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
    const same = (bytes: Buffer): Buffer => bytes;
    const response = await new Promise<Buffer>((resolve, reject) => {
      this.#client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, request, (error, bytes) => {
        if (error) reject(error);
        else resolve(bytes as Buffer);
      });
    });
    return response[1] === 1 ? 'SERVING' : 'NOT_SERVING';
  }

  open(method: 'Session' | 'Bulk'): Conversation {
    const { path, requestSerialize, responseDeserialize } = methodNamed(method);
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const conversation = new Conversation(stream);
    this.#conversations.push(conversation);
    return conversation;
  }

  /** Cancels what is still open. */
  close(): void {
    for (const conversation of this.#conversations) conversation.cancel();
    this.#client.close();
  }
}

/** A stream whose messages are awaited one at a time. */
export class Conversation {
  readonly #received: (Message | Error)[] = [];
  readonly #waiting: ((item: Message | Error) => void)[] = [];

  constructor(readonly stream: ClientDuplexStream<object, Message>) {
    stream.on('data', (message: Message) => this.#push(message));
    stream.on('error', (error: Error) => this.#push(error));
    stream.on('end', () => this.#push(new Error('the stream has ended')));
  }

  send(message: object): void {
    this.stream.write(message);
  }

  /** The next message; throws what the stream ended with. */
  async next(): Promise<Message> {
    const item =
      this.#received.shift() ?? (await new Promise<Message | Error>((resolve) => this.#waiting.push(resolve)));
    if (item instanceof Error) throw item;
    return item;
  }

  /** Sends and awaits the next message. */
  ask(message: object): Promise<Message> {
    this.send(message);
    return this.next();
  }

  cancel(): void {
    this.stream.cancel();
  }

  #push(item: Message | Error): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#received.push(item);
  }
}

export function methodNamed(name: string): Method {
  for (const service of ['larder.v1.CacheService', 'larder.v1.AdminService']) {
    const method = (packageDefinition[service] as ServiceDefinition)[name];
    if (method) return method as Method;
  }
  throw new Error(`no method is named ${name}`);
}
