import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { type ClientView, cacheService, PARTITION_COUNT, ringPlacements, type ViewNode } from '@larder/proto';
import { Mailbox } from './mailbox.js';
import { type BulkStream, ScriptedBulk, type SentBulk } from './scripted-bulk.js';
import { ScriptedSession, type SentFrame, type SentOperation, type SessionScript } from './scripted-session.js';
import { ScriptedStore } from './scripted-store.js';

/**
 * A node for the client's tests: a real gRPC server whose every answer the test decides. Left alone it behaves, with a
 * Map for a store; `script` and `bulkScript` take its place, and whatever the client does can be awaited.
 */
export class ScriptedNode implements SessionScript {
  view: ClientView;
  greets = true;
  /** What GetView answers; undefined: the view. */
  viewAnswer: object | undefined = undefined;
  viewQuestions = 0;
  readonly store = new ScriptedStore();
  valueBytesMax = 8 * 1024 * 1024;
  readonly live = new Set<ScriptedSession>();
  readonly sessions = new Mailbox<ScriptedSession>();
  readonly ends = new Mailbox<ScriptedSession>();
  readonly frames = new Mailbox<SentFrame>();
  readonly operations = new Mailbox<SentOperation>();
  readonly bulkRequests = new Mailbox<SentBulk & { readonly stream: BulkStream }>();
  /** Answers a frame's operations. */
  script: (operations: readonly SentOperation[]) => void = (operations) => this.behave(operations);
  bulkScript: (request: SentBulk, bulk: ScriptedBulk) => void = (request, bulk) => bulk.answer(request);
  #server: Server | undefined;

  private constructor(
    readonly id: string,
    public port: number,
  ) {
    this.view = viewOf([this]);
  }

  static async start(id = 'n1'): Promise<ScriptedNode> {
    const node = new ScriptedNode(id, 0);
    await node.listen();
    node.view = viewOf([node]);
    return node;
  }

  /** Nodes that share a view in which the ring decides. */
  static async startMany(count: number): Promise<ScriptedNode[]> {
    const nodes = await Promise.all(Array.from({ length: count }, (_, index) => ScriptedNode.start(`n${index + 1}`)));
    for (const node of nodes) node.view = viewOf(nodes);
    return nodes;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Answers each operation from the store; a frame's answers are a frame. */
  behave(operations: readonly SentOperation[]): void {
    const session = operations[0]?.session;
    session?.send((writer) => {
      for (const operation of operations) this.store.answer(operation, writer);
    });
  }

  received(frame: SentFrame): void {
    this.frames.put(frame);
    for (const operation of frame.operations) this.operations.put(operation);
    if (frame.operations.length > 0) this.script(frame.operations);
  }

  ended(session: ScriptedSession): void {
    if (this.live.delete(session)) this.ends.put(session);
  }

  /** Again, on the same port, after `kill`. */
  async listen(): Promise<void> {
    // With channelz switched off, forceShutdown of grpc-js 1.14.7 does not know the connections that it is to cut.
    const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
    server.addService(cacheService, {
      Session: (stream: ScriptedSession['stream']) => {
        const session = new ScriptedSession(stream, this);
        this.live.add(session);
        this.sessions.put(session);
      },
      Bulk: (stream: BulkStream) => {
        const bulk = new ScriptedBulk(stream, this.store, this.valueBytesMax);
        stream.on('data', (request: SentBulk) => {
          this.bulkRequests.put({ ...request, stream });
          this.bulkScript(request, bulk);
        });
      },
      GetView: (_call: unknown, answer: sendUnaryData<object>) => {
        this.viewQuestions++;
        answer(null, this.viewAnswer ?? { view: plainView(this.view) });
      },
    });
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  /** As if the process had died: all its connections break. */
  kill(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }
}

/** The partitions where the ring puts them. */
export function viewOf(nodes: readonly ScriptedNode[], version = 1): ClientView {
  const placements = ringPlacements(nodes, PARTITION_COUNT);
  const owners = placements.map(({ owner }) => nodes.findIndex((node) => node.id === owner));
  return { version, nodes: nodes.map(viewNode), owners: Uint16Array.from(owners) };
}

/** One node owns everything; the others are only known. */
export function viewOwnedBy(owner: ScriptedNode, nodes: readonly ScriptedNode[], version: number): ClientView {
  const index = nodes.indexOf(owner);
  return { version, nodes: nodes.map(viewNode), owners: new Uint16Array(PARTITION_COUNT).fill(index) };
}

function viewNode({ id, address }: ScriptedNode): ViewNode {
  return { id, address };
}

function plainView(view: ClientView): object {
  return { ...view, owners: [...view.owners], lost: [...(view.lost ?? [])] };
}
