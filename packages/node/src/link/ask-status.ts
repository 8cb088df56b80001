import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { adminService, LarderError } from '@larder/proto';
import type { ClusterStatus } from '../cluster/cluster-status.js';

/** The cluster as the node at this address sees it. Throws UNAVAILABLE if it does not answer within `timeoutMs`. */
export function askStatus(address: string, nowMs: number, timeoutMs: number): Promise<ClusterStatus> {
  const method = adminService.GetClusterStatus as MethodDefinition<object, ClusterStatus>;
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_channelz': 0 });
  return new Promise<ClusterStatus>((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const deadline = nowMs + timeoutMs;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, { deadline }, (error, status) => {
      if (error === null && status !== undefined) resolve(status);
      else reject(new LarderError('UNAVAILABLE', `no node answers at ${address}: ${error?.details}`, { cause: error }));
    });
  }).finally(() => client.close());
}
