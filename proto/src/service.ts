import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';

/**
 * The gRPC services, from the .proto files of this package. The session's messages stay bytes in both directions:
 * session-request.ts and session-response.ts read and write them in place.
 */

const PROTO_ROOT = fileURLToPath(new URL('..', import.meta.url));

/** For reflection and for services: everything that the .proto files declare. */
export const packageDefinition: PackageDefinition = loadSync(['larder/v1/cache.proto', 'larder/v1/admin.proto'], {
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
