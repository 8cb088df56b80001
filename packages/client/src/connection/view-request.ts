import type { Client as GrpcClient } from '@grpc/grpc-js';
import { type ClientView, checkedView, LarderError, toLarderError } from '@larder/proto';
import { callUnary, openChannel } from './channel.js';

/** Asking nodes for the view, by unary calls. */

/** Asks an address, on a channel of its own. Rejects with the LarderError that says why not. */
export async function requestViewOnce(address: string, deadlineMs: number): Promise<ClientView> {
  let channel: GrpcClient;
  try {
    channel = openChannel(address);
  } catch (error) {
    throw new LarderError('BAD_ARGUMENT', `${address} is no address: ${toLarderError(error).reason}`, { cause: error });
  }
  try {
    return await requestView(channel, address, deadlineMs);
  } finally {
    channel.close();
  }
}

interface ViewResponse {
  readonly view: { version: number; nodes: { id: string; address: string }[]; owners: number[] } | null;
}

export async function requestView(channel: GrpcClient, node: string, deadlineMs: number): Promise<ClientView> {
  const { view } = await callUnary<ViewResponse>(channel, 'GetView', {}, deadlineMs, node);
  if (view === null) throw new LarderError('INTERNAL', `node ${node} answered without a view`, { node });
  return checkedView(view);
}
