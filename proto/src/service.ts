import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';

/**
 * The gRPC services, from the .proto files of this package. The messages of sessions and links stay bytes in both
 * directions: session-request.ts and session-response.ts, peer-frame-reader.ts and peer-frame-writer.ts read and write
 * them in place.
 */

const PROTO_FILES = ['larder/v1/cache.proto', 'larder/v1/admin.proto', 'larder/v1/peer.proto'];
const PROTO_ROOT = fileURLToPath(new URL('..', import.meta.url));

/** For reflection and for services: everything that the .proto files declare. */
export const packageDefinition: PackageDefinition = loadSync(PROTO_FILES, {
  includeDirs: [PROTO_ROOT],
  longs: Number,
  enums: Number,
  bytes: Buffer,
  defaults: true,
  oneofs: true,
});

const identity = (bytes: Buffer): Buffer => bytes;

function rawMethod(method: MethodDefinition<object, object>): MethodDefinition<Buffer, Buffer> {
  return {
    ...(method as unknown as MethodDefinition<Buffer, Buffer>),
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

const declared = packageDefinition['larder.v1.CacheService'] as ServiceDefinition;

export const cacheService = {
  ...declared,
  Session: rawMethod(declared.Session as MethodDefinition<object, object>),
} as unknown as ServiceDefinition;

export const adminService = packageDefinition['larder.v1.AdminService'] as ServiceDefinition;

const declaredPeers = packageDefinition['larder.v1.PeerService'] as ServiceDefinition;

export const peerService = {
  ...declaredPeers,
  Link: rawMethod(declaredPeers.Link as MethodDefinition<object, object>),
} as unknown as ServiceDefinition;
