import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'

const assumeRole = 'io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider'

/** How to reach a bucket: shared by the sink and the source, under the names of Confluent's connectors. */
export const linkSettings = defineConfig({
  's3.bucket.name': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'S3',
    doc: 'Name of the bucket. It has to exist.',
  },
  's3.region': {
    type: 'string',
    default: 'us-west-2',
    group: 'S3',
    doc: 'AWS region of the bucket. Other stores take any, mostly `us-east-1`.',
  },
  'store.url': {
    type: 'string',
    pattern: '^https?://.+',
    group: 'S3',
    doc: 'Address of a store other than AWS that speaks its protocol (MinIO, Ceph, R2 …): `http://minio:9000`. Left out: AWS, by the region.',
  },
  's3.path.style.access.enabled': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'S3',
    doc: 'Whether the bucket is named in the path of requests rather than in the host name.',
  },
  's3.wan.mode': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'S3',
    doc: 'Whether AWS’s accelerated endpoint is used; needs s3.path.style.access.enabled=false.',
  },
  'aws.access.key.id': {
    type: 'string',
    importance: 'high',
    group: 'Credentials',
    doc: 'Access key. Left out: from the environment, the profile, or the machine’s or container’s role, as AWS’s tools find them.',
  },
  'aws.secret.access.key': {
    type: 'password',
    importance: 'high',
    group: 'Credentials',
    doc: 'Secret of that access key.',
  },
  'aws.session.token': {
    type: 'password',
    importance: 'low',
    group: 'Credentials',
    doc: 'Session token that belongs to that access key, where it is a temporary one.',
  },
  'aws.profile': {
    type: 'string',
    importance: 'low',
    group: 'Credentials',
    doc: 'Profile of `~/.aws/credentials` and `~/.aws/config` to take credentials from.',
  },
  's3.credentials.provider.class': {
    type: 'string',
    enum: [
      'default',
      'software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider',
      'com.amazonaws.auth.DefaultAWSCredentialsProviderChain',
      assumeRole,
    ],
    default: 'default',
    importance: 'low',
    group: 'Credentials',
    doc: `Where credentials come from: the settings above, or else what AWS’s tools find. With \`${assumeRole}\` they assume the role s3.credentials.provider.sts.role.arn. Java classes are not run: others are refused.`,
  },
  's3.credentials.provider.sts.role.arn': {
    type: 'string',
    group: 'Credentials',
    doc: 'Role to assume (STS). It is assumed anew before the temporary credentials expire.',
  },
  's3.credentials.provider.sts.role.external.id': {
    type: 'string',
    importance: 'low',
    group: 'Credentials',
    doc: 'External id to give when the role is assumed.',
  },
  's3.credentials.provider.sts.role.session.name': {
    type: 'string',
    default: 'tidewire',
    importance: 'low',
    group: 'Credentials',
    doc: 'Name of the role’s session, shown in AWS’s logs.',
  },
  's3.credentials.provider.sts.region': {
    type: 'string',
    importance: 'low',
    group: 'Credentials',
    doc: 'Region of STS. Left out: s3.region.',
  },
  's3.proxy.url': {
    type: 'string',
    pattern: '^$|^https?://.+',
    importance: 'low',
    group: 'Connection',
    doc: 'HTTP proxy to reach the store through: `http://proxy:3128`.',
  },
  's3.proxy.user': { type: 'string', importance: 'low', group: 'Connection', doc: 'User to log in to the proxy as.' },
  's3.proxy.password': { type: 'password', importance: 'low', group: 'Connection', doc: 'Password of that user.' },
  's3.connect.timeout.ms': {
    type: 'int',
    minimum: 1,
    default: 10_000,
    importance: 'low',
    group: 'Connection',
    doc: 'How long making a connection may take.',
  },
  's3.request.timeout.ms': {
    type: 'int',
    minimum: 1,
    default: 60_000,
    importance: 'low',
    group: 'Connection',
    doc: 'How long a connection may be silent during a request, before that is given up and repeated.',
  },
  's3.part.retries': {
    type: 'int',
    minimum: 0,
    default: 3,
    group: 'Connection',
    doc: 'How many times a request that failed in passing (5xx, SlowDown, a broken connection) is repeated at once, before the work as a whole waits and tries again.',
  },
  's3.retry.backoff.ms': {
    type: 'long',
    minimum: 0,
    default: 200,
    importance: 'low',
    group: 'Connection',
    doc: 'Pause before the first repetition; it may double with each. The actual pause is random, between nothing and that.',
  },
  's3.http.send.expect.continue': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Connection',
    doc: 'Whether bodies of more than 2 MiB are sent only when the store has said that it will take them (`Expect: 100-continue`).',
  },
  's3.send.digest': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Connection',
    doc: 'Taken so that configs need no change: each body is sent with a checksum in any case, see s3.checksum.mode.',
  },
  's3.checksum.mode': {
    type: 'string',
    enum: ['when_supported', 'when_required'],
    default: 'when_supported',
    importance: 'low',
    group: 'Connection',
    doc: 'Whether requests and answers have CRC32 checksums. `when_required` is for stores that do not know them.',
  },
})

export type LinkConfig = ConfigOf<typeof linkSettings>

/** Values of the settings above that contradict each other, by setting. */
export function checkLink(config: LinkConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  if (config['s3.wan.mode'] && config['s3.path.style.access.enabled']) {
    problems['s3.wan.mode'] = 'the accelerated endpoint has no path style: set s3.path.style.access.enabled=false'
  }
  if (config['s3.wan.mode'] && config['store.url'] !== undefined) {
    problems['s3.wan.mode'] = 'only AWS has an accelerated endpoint: leave out store.url'
  }
  if ((config['aws.access.key.id'] ?? '') !== '' && (config['aws.secret.access.key'] ?? '') === '') {
    problems['aws.secret.access.key'] = 'aws.access.key.id needs its secret'
  }
  if (config['s3.credentials.provider.class'] === assumeRole && roleOf(config) === undefined) {
    problems['s3.credentials.provider.sts.role.arn'] = 'names the role to assume'
  }
  return problems
}

/** The role to assume; undefined: none. */
export function roleOf(config: LinkConfig): string | undefined {
  const arn = config['s3.credentials.provider.sts.role.arn'] ?? ''
  return arn === '' ? undefined : arn
}
